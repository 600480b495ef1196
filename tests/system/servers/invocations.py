"""Random invocations of the probe against random servers; see tests/system/servers/invocations."""

import collections
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

PROBE, SCRATCH, COUNT, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

# How long after its deadline a run may end, on a machine that does nothing else.
GRACE = 0.1

# No run may have a larger address space, so none can have more resident. A run
# that asks for more is ended by its own allocator, which is no exit 0 or 1.
MEMORY = 1024 * 1024

WORKERS = 4

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: x\r\n\r\n"


def read_request(stream):
    stream.settimeout(2)
    request = b""
    while b"\r\n\r\n" not in request and len(request) < 100_000:
        piece = stream.recv(4096)
        if not piece:
            break
        request += piece


def sends(answer, keep=False):
    def serve(stream):
        read_request(stream)
        stream.sendall(answer)
        if keep:
            stream.recv(1)

    return serve


def silent(stream):
    stream.settimeout(2)
    while stream.recv(4096):
        pass


def resets(stream):
    stream.recv(1)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drips(start):
    def serve(stream):
        read_request(stream)
        stream.sendall(start)
        for _ in range(200):
            stream.sendall(b"x")
            time.sleep(0.01)

    return serve


def floods(start, flood):
    def serve(stream):
        read_request(stream)
        stream.sendall(start)
        for _ in range(200):
            stream.sendall(flood * (16384 // len(flood)))

    return serve


def garbage(stream):
    read_request(stream)
    stream.sendall(random.randbytes(random.randrange(2000)))


def cut(stream):
    read_request(stream)
    answer = random.choice([OK, CHUNKED])
    stream.sendall(answer[: random.randrange(len(answer))])


def mutated(stream):
    read_request(stream)
    answer = bytearray(random.choice([OK, CHUNKED]))
    for _ in range(random.randrange(1, 4)):
        answer[random.randrange(len(answer))] = random.randrange(256)
    for byte in answer:
        stream.sendall(bytes([byte]))


def slow(stream):
    read_request(stream)
    time.sleep(0.03)
    stream.sendall(OK)


# Most are soon done; those that hang last until the probe's deadline.
SERVERS = [
    sends(OK),
    sends(OK, keep=True),
    sends(CHUNKED),
    sends(b"HTTP/1.0 200\n\nhello"),
    sends(b"HTTP/1.1 503 Busy \x1b[2J\x00\r\n\r\nno"),
    sends(b"HTTP/1.1 103 E\r\n\r\nHTTP/1.1 302 Found\r\nLocation: https://x/\r\n\r\n"),
    sends(b"SSH-2.0-OpenSSH_9\r\n"),
    lambda stream: None,
    resets,
    garbage,
    cut,
    mutated,
    slow,
    silent,
    drips(b"HTTP/1.1 200 OK\r\nX: "),
    drips(b"HTTP/1.1 200 OK\r\n\r\n"),
    floods(b"HTTP/1.1 200 OK\r\n", b"X: yyyyyyyy\r\n"),
    floods(b"HTTP/1.1 200 ", b"endless "),
    floods(b"HTTP/1.1 200 OK\r\n\r\n", b"hell"),
    floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
]


def accept(listener, serve):
    def answer(stream):
        try:
            serve(stream)
        except OSError:
            pass
        stream.close()

    while True:
        stream, _ = listener.accept()
        threading.Thread(target=answer, args=(stream,), daemon=True).start()


def listen():
    """The servers' listeners: (listener, what serves it or None)."""
    listeners = []
    for serve in SERVERS:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        listeners.append((listener, serve))
    for name, serve in [("ok", sends(OK)), ("silent", silent), ("full", None)]:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{SCRATCH}/{name}")
        listener.listen(0 if serve is None else 128)
        listeners.append((listener, serve))
    return listeners


def fill(path):
    """Fills the backlog of a listener that never accepts; the streams stay open."""
    streams = []
    for _ in range(10):
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(0.05)
        try:
            stream.connect(path)
        except OSError:
            break
        streams.append(stream)
    return streams


def target(rng, ports):
    port = rng.choice(ports)
    host = rng.choice(["127.0.0.1"] * 4 + ["localhost", "a.localhost", "0.0.0.0", "[::1]", "[::]", "127.0.0.2"])
    path = rng.choice(["", "/", "/echo", "/a?b=c#d", "/" + "p" * rng.randrange(300), "/\u00e9"])
    login = rng.choice([""] * 6 + ["u:p@", "u@", "u:p@ss@"])
    return rng.choice(
        [f"http://{login}{host}:{port}{path}"] * 5
        + [f"{host}:{port}{path}"] * 2
        + [f"http://${{HOST:-{host}}}:${{PORT}}{path}", f"tcp://{host}:{port}", f"tcp://{host}:{port}"]
        + [f"unix:{SCRATCH}/ok", f"unix:{SCRATCH}/silent", f"unix:{SCRATCH}/full", f"unix:{SCRATCH}/none"]
        + ["tcp://127.0.0.1:1"]
    )


def invocation(rng, ports):
    """Arguments, environment, and the seconds until the deadline."""
    args, env = [], {"PORT": str(rng.choice(ports))}
    millis = rng.randrange(1, 150)
    limit = millis / 1000
    if rng.randrange(4):
        args += rng.choice([["-t", f"{millis}ms"], [f"-t{millis}ms"], [f"--timeout={limit}"]])
    else:
        env["PROBE_TIMEOUT"] = f"{millis}ms"
    if rng.randrange(12) == 0:
        limit = rng.randrange(1, 250) / 1000
        args += ["--wait", str(limit)]
    options = [
        ["--status", rng.choice(["2xx", "any", "200,204", "200-599"])],
        ["--expect", rng.choice(["hello", "hell", "\x1b", "", "x" * 5000])],
        ["-X", rng.choice(["HEAD", "POST"])],
        ["-H", rng.choice(["X: y", "Host: z", "Accept:"])],
        ["-d", rng.choice(["{}", "", "PING\n", "y" * 20_000])],
        ["--unix-socket", rng.choice([f"{SCRATCH}/ok", f"{SCRATCH}/full"])],
        ["-q"],
    ]
    mistakes = [
        ["--status", "junk"],
        ["-X", "G ET"],
        ["-H", "no colon"],
        ["-H", "A: b\r\nC: d"],
        ["--unix-socket", ""],
        ["-data=x"],
        ["--unknown=secret"],
        ["-w", "0"],
        ["-q=1"],
        ["--expect"],
        ["", "https://127.0.0.1/"],
        ["127.1"],
        ["x y"],
        ["${NONE}"],
        ["-d", "${"],
    ]
    for option in options:
        if rng.randrange(9) == 0:
            args += option
    if rng.randrange(10) == 0:
        args += rng.choice(mistakes)
    for _ in range(rng.choice([0] + [1] * 14 + [2, 3, 8])):
        args.insert(rng.randrange(len(args) + 1), target(rng, ports))
    if rng.randrange(40) == 0:
        # Behind an address, so that it is no name that somebody would be asked for.
        junk = bytes(rng.randrange(1, 256) for _ in range(rng.randrange(200)))
        args.append("127.0.0.1:1" + os.fsdecode(junk))
    if rng.randrange(20) == 0:
        env["PROBE_TARGET"] = " ".join(target(rng, ports) for _ in range(rng.randrange(3)))
    return args, env, limit


def run(args, env):
    """How it ended, how long it took, and what it said."""
    command = ["prlimit", f"--as={MEMORY}", PROBE, *args]
    start = time.monotonic()
    process = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return process.returncode, time.monotonic() - start, process.stdout, process.stderr


def main():
    listeners = listen()
    ports = [listener.getsockname()[1] for listener, serve in listeners if listener.family == socket.AF_INET]
    streams = fill(f"{SCRATCH}/full")
    child = os.fork()
    if child == 0:
        # The servers have a process of their own, so that they cost no time here.
        threads = [threading.Thread(target=accept, args=pair) for pair in listeners if pair[1]]
        for thread in threads:
            thread.start()
        signal.pause()
    try:
        failures = check(ports)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for stream in streams:
        stream.close()
    sys.exit(1 if failures else 0)


def check(ports):
    lock, numbers = threading.Lock(), iter(range(COUNT))
    codes, failures, late, latest = collections.Counter(), [], [], 0

    def work():
        nonlocal latest
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            args, env, limit = invocation(random.Random(SEED + number), ports)
            code, took, out, err = run(args, env)
            text = out + err
            with lock:
                codes[code] += 1
                if code not in (0, 1) or len(text) > 4096 or any(byte < 32 and byte != 10 for byte in text):
                    failures.append((number, code, args, env, text))
                elif code == 1 and not err.endswith(b"\n"):
                    failures.append((number, "silent", args, env, text))
                if took > limit + GRACE:
                    late.append((number, args, env, limit))
                else:
                    latest = max(latest, took - limit)

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    # Four run at a time on a machine that may do other things as well: what was
    # late has ten tries alone, of which one is in time if it can be.
    for number, args, env, limit in late:
        if all(run(args, env)[1] > limit + GRACE for _ in range(10)):
            failures.append((number, f"late ten times, deadline {limit}", args, env, b""))
    if sum(codes.values()) < COUNT:
        failures.append((COUNT, "not all were run", [], {}, b""))
    print(f"{COUNT} random invocations, seed {SEED}: exit codes {dict(codes)}")
    print(f"{len(late)} had to run again, alone; the latest other ended {latest * 1000:.0f} ms after its deadline")
    print(f"address space of each at most {MEMORY} bytes")
    for number, what, args, env, text in failures[:20]:
        print(f"FAILED {number}: {what}: {args} {env} {text!r:.300}")
    return failures


main()
