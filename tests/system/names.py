"""Names, name servers and what the probe makes of them; see tests/system/names."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

ROOT = sys.argv[1]
RESOLV, HOSTS = f"{ROOT}/etc/resolv.conf", f"{ROOT}/etc/hosts"
A, CNAME, AAAA = 1, 5, 28

# Where an HTTP server is (127.0.0.2 and ::1), where connecting hangs
# (127.0.0.3), and where no route leads (10.1.2.3).
ZONE = {
    "live.test": ["127.0.0.2"],
    "app.corp.test": ["127.0.0.2"],
    "both.test": ["127.0.0.3", "127.0.0.2"],
    "many.test": ["127.0.0.3"] * 3 + ["127.0.0.2"],
    "dead.test": ["127.0.0.3"],
    "mixed.test": ["10.1.2.3", "127.0.0.4", "127.0.0.2"],
    "six.test": ["::1"],
    "empty.test": [],
}


def records(name, kind):
    addresses = [address for address in ZONE[name] if (":" in address) == (kind == AAAA)]
    family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
    return [(kind, socket.inet_pton(family, address)) for address in addresses]


def reply(question, code=0, answers=(), flags=0x81):
    out = question[:2] + bytes([flags, 0x80 | code]) + struct.pack(">HHHH", 1, len(answers), 0, 0) + question[12:]
    for kind, data in answers:
        out += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 9, len(data)) + data
    return out


def name_of(question):
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    return ".".join(labels).lower(), question[at + 2]


def knows(question):
    name, kind = name_of(question)
    if name == "alias.test":
        return [reply(question, 0, [(CNAME, b"\x04live\xc0\x12")] + records("live.test", kind))]
    return [reply(question, 0, records(name, kind)) if name in ZONE else reply(question, 3)]


def lies(question):
    """Another's answers first: wrong identifier, wrong question, no response; then the right one."""
    wrong = reply(question, 0, [(A, bytes([127, 0, 0, 3]))])
    other = bytes([wrong[0] ^ 1]) + wrong[1:]
    return [other, wrong[:13] + b"x" + wrong[14:], question, b"", b"x" * 512] + knows(question)


def only_a(question):
    return knows(question) if name_of(question)[1] == A else []


def only_six_fails(question):
    return knows(question) if name_of(question)[1] == A else [reply(question, 2)]


def truncated(question):
    """As many records as fit, the last of them cut off, and the bit that says so."""
    answers = [(A, bytes([127, 0, 0, 2]))] * 40
    return [reply(question, 0, answers, 0x83)[:512]]


asked = 0


def late(question):
    """Does not know the name in the first answers."""
    global asked
    asked += 1
    return [reply(question, 3)] if asked <= 8 else knows(question)


was_asked = threading.Event()


def silent(question):
    was_asked.set()
    return []


NAME_SERVERS = {
    "127.0.0.53": knows,
    "127.0.0.54": silent,
    "127.0.0.55": lambda question: [reply(question, 2)],
    "127.0.0.56": lambda question: [reply(question, 3)],
    "127.0.0.57": lies,
    "127.0.0.58": only_a,
    "127.0.0.59": truncated,
    "127.0.0.60": late,
    "127.0.0.61": only_six_fails,
    "127.0.0.62": lambda question: [reply(question, 5)],
}

KNOWS, SILENT, SERVFAIL, NOBODY = "127.0.0.53", "127.0.0.54", "127.0.0.55", "127.0.0.99"
URL = "http://live.test:8080/"
CANNOT_TELL = "resolve: the name servers do not answer, or cannot tell"
REFUSED = "resolve: connection refused"


def conf(*servers, rest=""):
    return "".join(f"nameserver {server}\n" for server in servers) + rest


# name, resolv.conf, arguments, what the line says after the target (200 where
# it is healthy), seconds at most on a machine that does nothing else.
CASES = [
    ("a live name", conf(KNOWS), [URL], "200", 0.3),
    ("in capitals", conf(KNOWS), ["http://LIVE.Test.:8080/"], "200", 0.3),
    ("an alias", conf(KNOWS), ["http://alias.test:8080/"], "200", 0.3),
    ("IPv6 only", conf(KNOWS), ["http://six.test:8080/"], "200", 0.3),
    ("no such name", conf("127.0.0.56"), [URL], "resolve: no such name", 0.3),
    ("a name without addresses", conf(KNOWS), ["http://empty.test:8080/"], "resolve: no such name", 0.3),
    ("a name that DNS cannot hold", conf(SILENT), ["http://a..b:8080/"], "resolve: no such name", 0.3),
    ("silence", conf(SILENT), ["-t500ms", URL], "resolve: timed out after 500ms", 0.6),
    ("silence of three", conf(SILENT, SILENT, SILENT), ["-t500ms", URL], "resolve: timed out after 500ms", 0.6),
    ("silence and search", conf(SILENT, rest="search a b c d e f\n"), ["-t300ms", "http://y:1"], "resolve: timed out after 300ms", 0.4),
    ("SERVFAIL", conf(SERVFAIL), [URL], CANNOT_TELL, 0.3),
    ("REFUSED", conf("127.0.0.62"), [URL], CANNOT_TELL, 0.3),
    ("nobody there", conf(NOBODY), [URL], REFUSED, 0.3),
    ("no route to it", conf("10.9.9.9"), [URL], "resolve: network unreachable", 0.3),
    ("no resolv.conf, and nobody on this host", None, [URL], REFUSED, 0.3),
    ("an empty resolv.conf", "", [URL], REFUSED, 0.3),
    ("junk in resolv.conf", "\0\xff\nnameserver\nnameserver x\noptions ndots:\n", [URL], REFUSED, 0.3),
    ("a silent one, then a live one", conf(SILENT, KNOWS), ["-t2s", URL], "200", 1.2),
    ("a failing one, then a live one", conf(SERVFAIL, KNOWS), [URL], "200", 0.3),
    ("one that is not there, then a live one", conf(NOBODY, KNOWS), [URL], "200", 0.3),
    ("answers of other exchanges", conf("127.0.0.57"), ["-t2s", URL], "200", 0.3),
    ("no answer for IPv6", conf("127.0.0.58"), ["-t1s", URL], "200", 0.8),
    ("SERVFAIL for IPv6", conf("127.0.0.61"), ["-t1s", URL], "200", 0.3),
    ("a truncated answer", conf("127.0.0.59"), ["-t2s", URL], "200", 0.3),
    ("a dead and a live address", conf(KNOWS), ["-t2s", "http://both.test:8080/"], "200", 1.2),
    ("three dead and a live address", conf(KNOWS), ["-t2s", "http://many.test:8080/"], "200", 1.8),
    ("no route, refused, live", conf(KNOWS), ["http://mixed.test:8080/"], "200", 0.3),
    ("a dead address", conf(KNOWS), ["-t400ms", "http://dead.test:8080/"], "connect: timed out after 400ms", 0.5),
    ("a dead address, tcp", conf(KNOWS), ["-t400ms", "tcp://dead.test:8080"], "connect: timed out after 400ms", 0.5),
    ("a search domain", conf(KNOWS, rest="search none.test corp.test\n"), ["http://app:8080/"], "200", 0.3),
    ("domain", conf(KNOWS, rest="domain corp.test\n"), ["http://app:8080/"], "200", 0.3),
    ("ndots", conf(KNOWS, rest="options ndots:2\nsearch test\n"), ["http://app.corp:8080/"], "200", 0.3),
    ("no search for an absolute name", conf(KNOWS, rest="search corp.test\n"), ["http://app.:8080/"], "resolve: no such name", 0.3),
    ("a name that comes later", conf("127.0.0.60"), ["-w5s", URL], "200", 3.0),
    ("localhost needs no name server", conf(SILENT), ["http://localhost:8080/"], "200", 0.3),
    ("a name of hosts", conf(SILENT), ["http://hosted:8080/"], "200", 0.3),
    ("SIGTERM while it resolves", signal.SIGTERM),
    ("SIGINT while it resolves", signal.SIGINT),
    ("the first of hosts is dead", conf(SILENT), ["-t2s", "http://twice:8080/"], "200", 1.2),
]


def serve_names(address, answers):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))

    def work():
        while True:
            question, peer = server.recvfrom(512)
            for answer in answers(question):
                server.sendto(answer, peer)

    threading.Thread(target=work, daemon=True).start()


def serve_http(family, address):
    listener = socket.socket(family)
    listener.bind((address, 8080))
    listener.listen(64)

    def work():
        while True:
            stream, _ = listener.accept()
            stream.recv(4096)
            stream.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            stream.close()

    threading.Thread(target=work, daemon=True).start()


def hang(address):
    """A listener whose backlog is full: connecting to it hangs."""
    listener = socket.socket()
    listener.bind((address, 8080))
    listener.listen(0)
    streams = [listener]
    for _ in range(4):
        stream = socket.socket()
        stream.setblocking(False)
        stream.connect_ex((address, 8080))
        streams.append(stream)
    return streams


def run(args):
    start = time.monotonic()
    process = subprocess.run([shutil.which("chroot"), ROOT, "/probe", *args], env={}, capture_output=True, timeout=60)
    return process.returncode, (process.stdout + process.stderr).decode(), time.monotonic() - start


def case(resolv, args, says, limit):
    """What is wrong, if anything is."""
    global asked
    asked = 0
    if os.path.lexists(RESOLV):
        os.remove(RESOLV)
    if resolv is not None:
        with open(RESOLV, "w", encoding="latin-1") as file:
            file.write(resolv)
    code, line, took = run(args)
    start = f"unhealthy: {args[-1]}: {says}\n" if says != "200" else f"healthy: {args[-1]}: 200 OK in "
    if code != (says != "200") or not line.startswith(start):
        return f"exit {code}, {line!r}, want {start!r}"
    return f"took {took:.3f} s, want {limit}" if took > limit else None


def ended_by(number):
    """What is wrong when a signal ends it while it waits for a name server."""
    with open(RESOLV, "w") as file:
        file.write(conf(SILENT))
    was_asked.clear()
    process = subprocess.Popen([shutil.which("chroot"), ROOT, "/probe", "-t60s", URL], env={})
    asked_in_time = was_asked.wait(20)
    process.send_signal(number)
    code = process.wait(20)
    return None if asked_in_time and code == -number else f"asked: {asked_in_time}, exit {code}"


def main():
    for address, answers in NAME_SERVERS.items():
        serve_names(address, answers)
    serve_http(socket.AF_INET, "127.0.0.2")
    serve_http(socket.AF_INET, "127.0.0.1")
    serve_http(socket.AF_INET6, "::1")
    streams = hang("127.0.0.3")
    with open(HOSTS, "w") as file:
        file.write("127.0.0.2 hosted # live.test\n127.0.0.3 twice\n127.0.0.2 x TWICE\n")
    failed = 0
    for name, *rest in CASES:
        wrong = case(*rest) if len(rest) > 1 else ended_by(*rest)
        if wrong and wrong.startswith("took"):
            # The machine may have been busy: three tries in all.
            wrong = case(*rest) and case(*rest)
        print(f"{'FAILED' if wrong else 'ok'}: {name}{': ' + wrong if wrong else ''}")
        failed += bool(wrong)
    del streams
    print(f"{len(CASES) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
