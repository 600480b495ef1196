"""The probe in poor surroundings; see tests/system/surroundings."""

import os
import re
import socket
import subprocess
import sys
import threading

ROOT, PROBE = sys.argv[1], sys.argv[2]
IMAGE = sys.argv[3] if len(sys.argv) > 3 else None

EMPTY = ["chroot", ROOT]
INSIDE = "/probe"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
DROPPED = [*NOBODY, "--bounding-set=-all", "--inh-caps=-all"]


def limited(*limits):
    return ["prlimit", *limits]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def serve(listener, answer):
    def talk(stream):
        try:
            stream.recv(4096)
            if answer is None:
                stream.recv(1)
            else:
                stream.sendall(answer)
        except OSError:
            pass
        stream.close()

    def work():
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=talk, args=(stream,), daemon=True).start()

    listener.listen(128)
    threading.Thread(target=work, daemon=True).start()
    return listener


def tcp(answer):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return serve(listener, answer).getsockname()[1]


def unix(path, answer):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o777)
    serve(listener, answer)


def cases(ok, silent, flood, closed):
    """name, command before the probe, probe, arguments, exit code, pattern of what it says."""
    http = f"http://127.0.0.1:{ok}/"
    local = f"http://localhost:{ok}/"
    stream = f"tcp://127.0.0.1:{ok}"
    hangs = f"127.0.0.1:{silent}"
    healthy, many = r"healthy: \S+: 200 OK in \S+ms\n", [http] * 8
    return [
        ("an empty root", EMPTY, INSIDE, [http], 0, healthy),
        ("an empty root, localhost", EMPTY, INSIDE, [local], 0, healthy),
        ("an empty root, tcp", EMPTY, INSIDE, [stream], 0, r"healthy: \S+: connected in \S+\n"),
        ("an empty root, unix", EMPTY, INSIDE, ["unix:/ok.sock", "--unix-socket=/ok.sock", "http://x/"], 0, "(healthy: .*\n){2}"),
        ("an empty root, unhealthy", EMPTY, INSIDE, [f"127.0.0.1:{closed}"], 1, ".*connect: connection refused\n"),
        ("an empty root, a name", EMPTY, INSIDE, ["-t1s", "http://name.invalid/"], 1, ".*resolve: .*\n"),
        ("an empty root, threads", EMPTY, INSIDE, many, 0, f"({healthy}){{8}}"),
        ("4 files", [*limited("--nofile=4"), *EMPTY], INSIDE, [local], 0, healthy),
        ("4 files, unix", [*limited("--nofile=4"), *EMPTY], INSIDE, ["unix:/ok.sock"], 0, "healthy: .*\n"),
        (
            "4 files, two targets at a time",
            [*limited("--nofile=4"), *EMPTY],
            INSIDE,
            ["-t300ms", hangs, hangs],
            1,
            "(?s)(?=.*: timed out after 300ms).*connect: too many open files.*",
        ),
        ("3 files", limited("--nofile=3"), PROBE, [http], 1, ".*connect: too many open files\n"),
        ("8 MiB", limited(f"--as={8 << 20}"), PROBE, [http], 0, healthy),
        ("8 MiB, threads", limited(f"--as={8 << 20}"), PROBE, many, 0, f"({healthy}){{8}}"),
        ("8 MiB, 100 targets", limited(f"--as={8 << 20}"), PROBE, [http] * 100, 0, f"({healthy}){{100}}"),
        ("8 MiB, a flood", limited(f"--as={8 << 20}"), PROBE, [f"127.0.0.1:{flood}"], 0, healthy),
        ("1 MiB", limited(f"--as={1 << 20}"), PROBE, [http], 0, healthy),
        ("1 MiB, a flood", limited(f"--as={1 << 20}"), PROBE, [f"127.0.0.1:{flood}"], 0, healthy),
        ("1 MiB, 100 targets", limited(f"--as={1 << 20}"), PROBE, [http] * 100, 0, f"({healthy}){{100}}"),
        ("1 MiB, 100 targets hang", limited(f"--as={1 << 20}"), PROBE, ["-t300ms", *[hangs] * 100], 1, r"(.*: timed out after 300ms\n){100}"),
        ("8 MiB, 100 targets hang", limited(f"--as={8 << 20}"), PROBE, ["-t300ms", *[hangs] * 100], 1, r"(.*: timed out after 300ms\n){100}"),
        ("1 process, no threads", [*limited("--nproc=1"), *DROPPED], INSIDE, many, 0, f"({healthy}){{8}}"),
        ("1 process, unix", [*limited("--nproc=1"), *DROPPED], INSIDE, ["unix:SOCKET"], 0, "healthy: .*\n"),
        ("1 process, one target hangs", [*limited("--nproc=1"), *DROPPED], INSIDE, ["-t300ms", hangs, http], 1, "(?s).*timed out.*"),
        ("no capabilities", DROPPED, INSIDE, [http], 0, healthy),
        ("no memory for a stack of threads", limited(f"--as={600 << 10}"), PROBE, [http] * 8, 0, f"({healthy}){{8}}"),
    ]


def containers(ok, closed):
    docker = ["docker", "run", "--rm", "--network=host", "--read-only", "--cap-drop=ALL"]
    docker += ["--security-opt=no-new-privileges", "--user=65534:65534", IMAGE]
    http = f"http://localhost:{ok}/"
    return [
        ("a container", docker, INSIDE, [http], 0, "healthy: .*: 200 OK in .*ms\n"),
        ("a container, threads", docker, INSIDE, [http, http, f"tcp://127.0.0.1:{ok}"], 0, "(healthy: .*\n){3}"),
        ("a container, unhealthy", docker, INSIDE, [f"127.0.0.1:{closed}"], 1, ".*: connection refused\n"),
        ("a container, no such socket", docker, INSIDE, ["unix:/x"], 1, ".*connect: no such file\n"),
    ]


def main():
    ok, silent, flood = tcp(OK), tcp(None), tcp(b"HTTP/1.1 200 OK\r\n\r\n" + b"hello" * 300_000)
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    closed = holder.getsockname()[1]
    sock = f"{ROOT}/ok{os.getpid()}.sock"
    unix(sock, OK)
    os.replace(sock, f"{ROOT}/ok.sock")
    rows = containers(ok, closed) if IMAGE else cases(ok, silent, flood, closed)
    failed = 0
    for name, before, probe, args, code, pattern in rows:
        if probe == INSIDE and before[0] not in ("chroot", "docker") and "chroot" not in before:
            # Only root may change the root.
            probe = f"{ROOT}/probe"
        args = [arg.replace("SOCKET", f"{ROOT}/ok.sock") for arg in args]
        command = [*before, probe, *args]
        process = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, timeout=120)
        text = (process.stdout + process.stderr).decode()
        good = process.returncode == code and re.fullmatch(pattern, text)
        if not good:
            failed += 1
            print(f"FAILED: {name}: exit {process.returncode}, want {code}: {text[:600]!r}, want {pattern!r}")
        else:
            print(f"ok: {name}")
    print(f"{len(rows) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
