"""The probe in poor surroundings; see tests/system/servers/surroundings, and engines/surroundings."""

import os
import re
import socket
import subprocess
import sys
import threading

ROOT = sys.argv[1]
IMAGE = sys.argv[2] if len(sys.argv) > 2 else None
SOCKET, FULL, OTHERS = f"{ROOT}/ok.sock", f"{ROOT}/full.sock", f"{ROOT}/others"


def owner(pid):
    """The user id of a process, unless it has ended."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def unused_id():
    """A user id of which no process is: a limit of processes counts all of a user's."""
    used = {owner(pid) for pid in os.listdir("/proc") if pid.isdigit()}
    start = 10_000 + os.getpid() % 50_000
    return next(number for number in range(start, 65_000) if number not in used)


def limited(limit, *command):
    return ["prlimit", limit, *command]


OUTSIDE = [f"{ROOT}/probe"]
INSIDE = ["chroot", ROOT, "/probe"]
USER = unused_id()
DROPPED = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]
DROPPED += ["--bounding-set=-all", "--inh-caps=-all", *OUTSIDE]
ALONE = limited("--nproc=1", *DROPPED)
FOUR_FILES = limited("--nofile=4", *INSIDE)
SMALL = limited(f"--as={1 << 20}", *OUTSIDE)
SMALLEST = limited(f"--as={600 << 10}", *OUTSIDE)
CONTAINER = ["docker", "run", "--rm", "--network=host", "--read-only", "--cap-drop=ALL"]
CONTAINER += ["--security-opt=no-new-privileges", f"--user={USER}:{USER}", f"{IMAGE}", "/probe"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
FLOOD = b"HTTP/1.1 200 OK\r\n\r\n" + b"hello" * 300_000


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


def unix(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o777)
    return listener


def cases():
    """name, command, arguments, exit code, pattern of what it says."""
    ok, closed = tcp(OK), socket.socket()
    closed.bind(("127.0.0.1", 0))
    http, local = f"http://127.0.0.1:{ok}/", f"http://localhost:{ok}/"
    stream = f"tcp://127.0.0.1:{ok}"
    refuses = f"127.0.0.1:{closed.getsockname()[1]}"
    healthy = r"healthy: \S+: 200 OK in \S+s\n"
    connected = r"healthy: \S+: connected in \S+s\n"
    # The server here may not even have come to accept it.
    late = r"unhealthy: .*: timed out after (300ms|2s)(; 1 connection waits to be accepted)?\n"
    refused = r"unhealthy: .*connect: connection refused(; listening here: \S.*|; no TCP port is open here)?\n"
    old = r"healthy: file:/probe: \d+(ms|s|h) old\n"
    command = ["-q", "--wait", "20s", "file:/probe", "--", "/probe", "--version"]
    if IMAGE:
        yield "a container", CONTAINER, [local], 0, healthy
        yield "a container, 3 targets", CONTAINER, [local, http, stream], 0, healthy * 2 + connected
        yield "a container, unhealthy", CONTAINER, [refuses], 1, refused.replace(r"\n", r"; listening here: \S.*\n")
        # Docker's own network has no IPv6, so ::1 is not available there.
        bridged = [word for word in CONTAINER if word != "--network=host"]
        yield "a container without IPv6, nobody there", bridged, ["http://localhost:9/"], 1, refused.replace(r"\n", r"; no TCP port is open here\n")
        yield "a container, no such socket", CONTAINER, ["unix:/x"], 1, ".*connect: no such file\n"
        yield "a container, a file", CONTAINER, ["file:/probe"], 0, old
        yield "a container, a file that is too old", CONTAINER, ["--max-age=1ms", "file:/probe"], 1, f"un{old[:-2]}, expected at most 1ms\n"
        yield "a container, a command", CONTAINER, command, 0, r"probe \S+\n"
        return
    hangs, flood = f"127.0.0.1:{tcp(None)}", f"127.0.0.1:{tcp(FLOOD)}"
    serve(unix(SOCKET), OK)
    os.close(os.open(OTHERS, os.O_CREAT, 0o600))
    full = unix(FULL)
    full.listen(0)
    waiting = socket.socket(socket.AF_UNIX)
    waiting.connect(FULL)
    yield "an empty root", INSIDE, [http], 0, healthy
    yield "an empty root, localhost", INSIDE, [local], 0, healthy
    yield "an empty root, tcp", INSIDE, [stream], 0, connected
    yield "an empty root, unix", INSIDE, ["unix:/ok.sock", "--unix-socket=/ok.sock", "http://x/"], 0, connected + healthy
    yield "an empty root, unhealthy", INSIDE, [refuses], 1, refused
    yield "an empty root, a name", INSIDE, ["-t1s", "http://name.invalid/"], 1, ".*resolve: .*\n"
    yield "an empty root, 8 targets", INSIDE, [http] * 8, 0, f"({healthy}){{8}}"
    yield "an empty root, a file", INSIDE, ["file:/probe"], 0, old
    yield "an empty root, a command", INSIDE, command, 0, r"probe \S+\n"
    yield "4 files", FOUR_FILES, [local], 0, healthy
    yield "4 files, unix", FOUR_FILES, ["unix:/ok.sock"], 0, connected
    yield "4 files, 8 targets", FOUR_FILES, [http] * 8, 0, f"({healthy}){{8}}"
    yield "3 files", limited("--nofile=3", *OUTSIDE), [http], 1, ".*connect: too many open files\n"
    yield "1 MiB", SMALL, [http], 0, healthy
    yield "1 MiB, a flood", SMALL, [flood], 1, ".*receive: out of memory\n"
    yield "3 MiB, a flood without the text", limited(f"--as={3 << 20}", *OUTSIDE), ["--expect=y", flood], 1, '.*: 200 OK, got "hello.*", expected "y" in the body\n'
    yield "4 MiB, a flood", limited(f"--as={4 << 20}", *OUTSIDE), [flood], 0, healthy
    yield "1 MiB, 100 targets", SMALL, [http] * 100, 0, f"({healthy}){{100}}"
    yield "1 MiB, 100 targets hang", SMALL, ["-t300ms", *[hangs] * 100], 1, f"({late}){{100}}"
    yield "600 KiB, 8 targets", SMALLEST, [http] * 8, 0, f"({healthy}){{8}}"
    yield "no capabilities", DROPPED, [http], 0, healthy
    yield "no capabilities, another user's file", DROPPED, [f"file:{OTHERS}"], 1, r"unhealthy: file:\S+: permission denied\n"
    yield "1 process, 8 targets", ALONE, [local] * 8, 0, f"({healthy}){{8}}"
    yield "1 process, unix", ALONE, [f"unix:{SOCKET}"], 0, connected
    yield "1 process, a full backlog", ALONE, ["-t300ms", f"unix:{FULL}"], 1, late
    yield "1 process, the second target hangs", ALONE, ["-t2s", http, hangs], 1, healthy + late


def main():
    passed = failed = 0
    for name, command, args, code, pattern in cases():
        process = subprocess.run([*command, *args], capture_output=True, timeout=120)
        text = (process.stdout + process.stderr).decode()
        if process.returncode == code and re.fullmatch(pattern, text):
            passed += 1
            print(f"ok: {name}")
        else:
            failed += 1
            print(f"FAILED: {name}: exit {process.returncode}, want {code}: {text[:600]!r}, want {pattern!r}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
