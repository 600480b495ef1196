"""Faults of the kernel, and what the probe makes of them; see tests/system/servers/faults."""

import collections
import concurrent.futures
import os
import re
import socket
import subprocess
import sys
import threading
import time

SCRATCH, *ALL = sys.argv[1:]
TIMEOUT = 0.25
# Over the deadline: 0.1 s are promised, the rest is strace on a busy machine.
LATE = 2.0

# What each call can fail with, by its manual page.
ERRORS = {
    "socket": "EACCES EAFNOSUPPORT EMFILE ENFILE ENOBUFS ENOMEM",
    "bind": "EACCES EADDRINUSE EADDRNOTAVAIL",
    "connect": "EACCES EADDRNOTAVAIL EAGAIN ECONNREFUSED EINTR ENETUNREACH ENOENT ETIMEDOUT",
    "sendto": "EAGAIN ECONNREFUSED ECONNRESET EINTR ENETUNREACH ENOBUFS ENOMEM EPERM EPIPE",
    "recvfrom": "EAGAIN ECONNREFUSED ECONNRESET EINTR ENOMEM ETIMEDOUT",
    "read": "EAGAIN ECONNRESET EINTR EIO EISDIR",
    "write": "EAGAIN EBADF EINTR EIO ENOSPC EPIPE",
    "writev": "EAGAIN EBADF EINTR EIO ENOSPC EPIPE",
    "poll": "EINTR EINVAL ENOMEM",
    "ioctl": "EINVAL ENOTTY",
    "setsockopt": "EINVAL ENOMEM ENOPROTOOPT",
    "getsockopt": "EINVAL ENOPROTOOPT",
    "getsockname": "ENOBUFS ENOTSOCK",
    "getpeername": "ENOBUFS ENOTCONN",
    "open": "EACCES EINTR EISDIR ELOOP EMFILE ENFILE ENOENT ENOMEM",
    "openat": "EACCES EINTR EISDIR ELOOP EMFILE ENFILE ENOENT ENOMEM",
    "fstat": "ENOMEM EOVERFLOW",
    "getrandom": "EAGAIN EINTR ENOSYS",
    "close": "EINTR EIO",
    "fcntl": "EAGAIN EMFILE",
    "nanosleep": "EINTR",
    "clock_nanosleep": "EINTR",
    "brk": "ENOMEM",
    "mmap": "EAGAIN ENOMEM",
    "mremap": "ENOMEM",
    "mprotect": "ENOMEM",
    "munmap": "EINVAL ENOMEM",
    "madvise": "EINVAL ENOMEM",
    # These fail for arguments that are wrong, and theirs are not; or never.
    "arch_prctl": "",
    "getpid": "",
    "rt_sigaction": "",
    "rt_sigprocmask": "",
    "set_tid_address": "",
}
# Without these there is no process, or no end of it.
NEVER = {"execve", "exit_group", "exit"}
# Where std cannot have memory, it ends the process by a signal: that is unhealthy, too.
MEMORY = {"brk", "mmap", "mremap", "mprotect"}
LATER = set()


def listen(work, family=socket.AF_INET, address=("127.0.0.1", 0)):
    """A listener that does `work` with each connection; its port."""
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen(64)

    def serve():
        while True:
            stream = listener.accept()[0]
            threading.Thread(target=talk, args=(stream, work), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1] if family == socket.AF_INET else address


def talk(stream, work):
    try:
        if answer := work(stream):
            stream.sendall(answer)
        else:
            stream.recv(4096)
    except OSError:
        pass
    stream.close()


def answers(bytes):
    return lambda stream: stream.recv(4096) and bytes


def name_server():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.53", 53))

    def serve():
        while True:
            question, peer = server.recvfrom(512)
            known = b"\4live" in question
            answer = known and question[-3] == 1
            out = question[:2] + bytes([0x81, 0x80 if known else 0x83, 0, 1, 0, answer, 0, 0, 0, 0]) + question[12:]
            server.sendto(out + (b"\xc0\x0c\0\1\0\1\0\0\0\t\0\4\x7f\0\0\1" if answer else b""), peer)

    threading.Thread(target=serve, daemon=True).start()


def runs():
    """Name, whether it is healthy, arguments."""
    name_server()
    good = listen(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    bad = listen(answers(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"))
    pong = listen(answers(b"+PONG\r\n"))
    silent = listen(lambda stream: stream.recv(1) and time.sleep(10))
    hello = b"\2\0\0\x26\3\3" + bytes(32) + b"\0\xc0\x2f\0"
    tls = listen(answers(b"\x16\3\3\0" + bytes([len(hello)]) + hello))
    unix = listen(answers(b"+PONG\r\n"), socket.AF_UNIX, f"{SCRATCH}/socket")
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    nobody = closed.getsockname()[1]
    return closed, [
        ("http", True, [f"http://127.0.0.1:{good}/"]),
        ("tcp", True, [f"tcp://127.0.0.1:{good}"]),
        ("unix", True, ["--data", "PING", "--expect", "PONG", f"unix:{unix}"]),
        ("name", True, [f"http://live.test:{good}/"]),
        ("localhost", True, [f"http://localhost:{good}/"]),
        ("wait", True, ["-w300ms", f"tcp://127.0.0.1:{good}"]),
        ("several", True, [f"http://127.0.0.1:{good}/", f"unix:{unix}", f"tcp://127.0.0.1:{pong}"]),
        ("tls", True, [f"tls://127.0.0.1:{tls}"]),
        ("503", False, [f"http://127.0.0.1:{bad}/"]),
        ("another reply", False, ["--data", "PING", "--expect", "OK", f"tcp://127.0.0.1:{pong}"]),
        ("silence", False, [f"http://127.0.0.1:{silent}/"]),
        ("nobody there", False, [f"tcp://127.0.0.1:{nobody}", f"http://127.0.0.1:{good}/"]),
        ("nobody there, wait", False, ["-w200ms", f"tcp://localhost:{nobody}"]),
        ("no such name", False, [f"http://nobody.test:{good}/"]),
        ("no tls", False, [f"tls://127.0.0.1:{bad}"]),
    ]


def run(args, *strace):
    start = time.monotonic()
    done = subprocess.run(
        ["strace", "-qq", *strace, f"{SCRATCH}/probe", f"-t{TIMEOUT * 1000:.0f}ms", *args],
        env={}, capture_output=True, timeout=60, executable="/usr/bin/strace",
    )
    return done.returncode, (done.stdout + done.stderr).decode(), time.monotonic() - start


def inject(name, healthy, args, call, error, when, starts):
    """What is wrong with a run of which a call fails."""
    code, said, took = run(args, "-o/dev/null", f"-etrace={call}", f"-einject={call}:error={error}:when={when}")
    if code < 0 or code > 1:
        wrong = None if call in MEMORY and code < 0 else f"exit {code}"
    elif code == 0 and not healthy:
        wrong = "false healthy"
    elif code == 1 and "unhealthy: " not in said and "probe: " not in said and not call.startswith("write"):
        wrong = "no line"
    else:
        wrong = f"late, {took:.2f} s" if took > TIMEOUT + LATE else None
    if code < 0 and not starts:
        LATER.add((name, call, when))
    return wrong and f"FAILED: {name}: {call} {when} {error}: {wrong}: {said!r}", code


def main():
    closed, all_runs = runs()
    tasks, failed = [], 0
    for name, healthy, args in all_runs:
        log = f"{SCRATCH}/log"
        # As below: on a busy machine strace may take all of the time.
        for _ in range(10):
            code, said, _ = run(args, f"-o{log}")
            if code == (not healthy):
                break
        if code != (not healthy):
            print(f"FAILED: {name}: exit {code}: {said!r}")
            failed += 1
        with open(log) as file:
            lines = re.findall(r"^(\w+)\(", file.read(), re.M)
        calls = collections.Counter(lines)
        # Until then it starts.
        first = next((at for at, call in enumerate(lines) if call in ("socket", "open", "openat")), len(lines))
        at_start = collections.Counter(lines[:first])
        for call, count in calls.items():
            if call in NEVER:
                continue
            if call not in ERRORS:
                print(f"FAILED: {name}: which errors has {call}?")
                failed += 1
                continue
            for number in range(1, count + 1):
                for error in ERRORS[call].split():
                    starts = number <= at_start[call]
                    tasks += [(name, healthy, args, call, error, f"{number}{more}", starts) for more in (("", "+") if ALL else ("",))]
    codes = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(2 * os.cpu_count()) as pool:
        results = list(pool.map(lambda task: inject(*task), tasks))
    for task, (wrong, code) in zip(tasks, results):
        codes["signal" if code < 0 else f"exit {code}"] += 1
        # The cores may be busy with other work: a late one has more tries, alone.
        for _ in range(10):
            if not wrong or ": late, " not in wrong:
                break
            wrong, _ = inject(*task)
        failed += bool(wrong)
        if wrong:
            print(wrong, flush=True)
    print(f"{len(LATER)} calls for memory after the start, without which a signal ends it:")
    print(*sorted(" ".join(call) for call in LATER), sep="; ")
    print(f"{len(tasks)} faults in {len(all_runs)} runs: {dict(codes)}")
    print(f"{len(tasks) + len(all_runs) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
