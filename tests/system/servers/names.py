"""Names, name servers and what the probe, glibc and musl make of them; see tests/system/servers/names."""

import concurrent.futures
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

SCRATCH = sys.argv[1]
CHROOT = shutil.which("chroot")
A, CNAME, AAAA = 1, 5, 28
LONG = ".".join(byte * 60 for byte in "xyz")
MANY = [f"127.0.2.{last}" for last in range(1, 41)]

# An HTTP server is at every address of loopback (and says which), but for
# 127.0.0.3, where connecting hangs. No route leads to 10.1.2.3.
ZONE = {
    "live.test": ["127.0.0.2"],
    "app.test": ["127.0.0.9"],
    "app.corp.test": ["127.0.0.4"],
    "app.last.test": ["127.0.0.5"],
    "app.wide.corp.test": ["127.0.0.6"],
    "app.corp": ["127.0.0.7"],
    f"{LONG}.corp.test": ["127.0.0.8"],
    "both.test": ["127.0.0.2", "::1"],
    "six.test": ["::1"],
    "many.test": MANY,
    "hangs.test": ["127.0.0.3"],
    "second.test": ["127.0.0.3", "127.0.0.2"],
    "fourth.test": ["127.0.0.3"] * 3 + ["127.0.0.2"],
    "mixed.test": ["10.1.2.3", "127.0.0.4", "127.0.0.2"],
    "empty.test": [],
}
ALIASES = {"alias.test": "live.test", "lost.test": "nobody.test"}
ALIASES |= {f"chain{number}.test": f"chain{number + 1}.test" for number in range(5)} | {"chain5.test": "live.test"}


def records(name, kind):
    """Those of the name and of what it is an alias for: (owner, kind, data)."""
    found = []
    while name in ALIASES:
        found.append((name, CNAME, labels(ALIASES[name])))
        name = ALIASES[name]
    family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
    addresses = [address for address in ZONE.get(name, []) if (":" in address) == (kind == AAAA)]
    return found + [(name, kind, socket.inet_pton(family, address)) for address in addresses]


def labels(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def reply(question, code=0, answers=(), flags=0x81):
    out = question[:2] + bytes([flags, 0x80 | code]) + struct.pack(">HHHH", 1, len(answers), 0, 0) + question[12:]
    for owner, kind, data in answers:
        out += labels(owner) + struct.pack(">HHIH", kind, 1, 9, len(data)) + data
    return out


def name_of(question):
    parts, at = [], 12
    while question[at]:
        parts.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    return ".".join(parts).lower(), question[at + 2]


def code(number):
    return lambda question: [reply(question, number)]


def knows(question):
    name, kind = name_of(question)
    known = name in ZONE or name in ALIASES
    return [reply(question, 0 if known else 3, records(name, kind))]


def lies(question):
    """Another's answers first: wrong identifier, wrong question, no response; then the right one."""
    wrong = reply(question, 0, [("live.test", A, bytes([127, 0, 0, 3]))])
    other = bytes([wrong[0] ^ 1]) + wrong[1:]
    return [other, wrong[:13] + b"x" + wrong[14:], question, b"", b"x" * 512] + knows(question)


def only_a(question):
    return knows(question) if name_of(question)[1] == A else []


def only_six_fails(question):
    return knows(question) if name_of(question)[1] == A else code(2)(question)


def in_domains(question):
    """One domain fails, one refuses, one is silent."""
    name = name_of(question)[0]
    if name.endswith(".silent.test"):
        return []
    return code({"servfail": 2, "refused": 5}.get(name.split(".")[1:2][0], 0))(question) if name.startswith("app.") and name not in ZONE else knows(question)


def truncated(question):
    """As many records as fit, the last of them cut off, and the bit that says so."""
    return [reply(question, 0, records("many.test", A), 0x83)[:500]]


def bare(number):
    """A header without a question."""
    return lambda question: [question[:2] + bytes([0x81, 0x80 | number]) + bytes(8)]


asked = {}


def once(first, count):
    """Says something else at first."""

    def answer(question):
        who = name_of(question)[0]
        asked[who, first] = asked.get((who, first), 0) + 1
        return first(question) if asked[who, first] <= count else knows(question)

    return answer


was_asked = threading.Event()


def silent(question):
    was_asked.set()
    return []


# What each says, and after how many seconds.
NAME_SERVERS = {
    "127.0.0.53": (knows, 0),
    "127.0.0.54": (silent, 0),
    "127.0.0.55": (code(2), 0),
    "127.0.0.56": (code(3), 0),
    "127.0.0.57": (lies, 0),
    "127.0.0.58": (only_a, 0),
    "127.0.0.59": (truncated, 0),
    "127.0.0.60": (once(code(3), 8), 0),
    "127.0.0.61": (only_six_fails, 0),
    "127.0.0.62": (code(5), 0),
    "127.0.0.63": (knows, 1),
    "127.0.0.64": (knows, 1),
    "127.0.0.65": (knows, 1),
    "127.0.0.66": (knows, 3),
    "127.0.0.67": (in_domains, 0),
    "127.0.0.68": (bare(5), 0),
    "127.0.0.69": (bare(2), 0),
    "127.0.0.70": (once(code(2), 2), 0),
    "127.0.0.71": (knows, 0.2),
    # Nothing over UDP; see serve_tcp.
    "127.0.0.72": (lambda question: [], 0),
    "::1": (knows, 0),
}
DNSMASQ, UNBOUND, REFUSES, BIND = "127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"
KNOWS, SILENT, SERVFAIL, NXDOMAIN, LIES, ONLY_A, TRUNCATED, LATER, NO_SIX, REFUSED = list(NAME_SERVERS)[:10]
SLOW, SLOWER, DOMAINS, BARE_REFUSED, BARE_SERVFAIL, ONCE_SERVFAIL = [f"127.0.0.{last}" for last in (63, 66, 67, 68, 69, 70)]
ONLY_TCP, NOBODY = "127.0.0.72", "127.0.0.99"

NONE = "resolve: host not found"
FAILED_SAID = "resolve: the name server failed or refused"
UNREACHABLE = "resolve: connection refused"

# Where the probe differs from a C library, and why that is right.
TCP = "musl 1.2.3 has no TCP"
NODATA = "musl ends the search at a name without addresses"
SEARCH = "musl does not try a name with enough dots in the search domains"
WHOLE = "musl 1.2.3 takes the whole records of a truncated answer"
REST = "glibc leaves out the other domains"
MUSL_FAIL = "musl ends the search at a failure"
ONE_KIND = "musl wants both answers"


LAME = {"glibc": "glibc takes a message without a header for a failure", "musl": "musl looks at the identifier only"}
DENIED = "glibc waits for the first name server; the probe, like musl, takes whichever answers first"
ZONE_NUMBER = "std has no look-up of an interface"
NO_ZONE = "resolve: invalid argument"


def conf(*servers, rest=""):
    return "".join(f"nameserver {server}\n" for server in servers) + rest


def of_real_servers():
    for server, address in [("dnsmasq", DNSMASQ), ("unbound", UNBOUND), ("bind", BIND)]:
        # Of the names that it does not know dnsmasq denies those without a dot, and refuses the others.
        def case(what, name, want, rest="", **why):
            return (f"{server}: {what}", conf(address, rest=rest), name, want, 0.3, why)

        yield case("a single name", "live.test", "127.0.0.2")
        yield case("an alias", "alias.test", "127.0.0.2")
        yield case("a chain of six", "chain0.test", "127.0.0.2")
        # unbound truncates to nothing, the others to whole records.
        tcp = {"musl": TCP} if server == "unbound" else {}
        yield case("40 addresses", "many.test", "127.0.2.", **tcp)
        yield case("IPv6 only", "six.test", "::1")
        yield case("both families", "both.test", "127.0.0.2")
        yield case("missing", "nobody.test", NONE)
        yield case("no addresses", "empty.test", NONE)
        yield case("ndots 0, no dot", "app", "127.0.0.4", "options ndots:0\nsearch corp.test\n", musl=SEARCH)
        yield case("ndots 1, no dot", "app", "127.0.0.4", "search none.test corp.test\n")
        yield case("ndots 1, a dot", "app.wide", "127.0.0.6", "search corp.test\n", musl=SEARCH)
        yield case("ndots 1, both have it", "app.corp", "127.0.0.7", "search test\n")
        yield case("ndots 5, both have it", "app.corp", "127.0.0.4", "search test\noptions ndots:5\n")
        yield case("ndots 5, as it is", "live.test", "127.0.0.2", "search none.test corp.test\noptions ndots:5\n")
        yield case("40 addresses in a search domain", "many", "127.0.2.", "search test corp.test\n", **tcp)
        yield case("over 253 bytes with a domain", LONG, "127.0.0.8", f"search {LONG}.{LONG[:9]} corp.test\noptions ndots:5\n", glibc=REST)
        yield case("no addresses in a search domain", "empty", NONE, "search test corp.test\n")


# What, resolv.conf, name, what the probe says of it (an address where it is healthy),
# seconds at most on a machine that does nothing else, why others differ.
CASES = [
    *of_real_servers(),
    ("unbound: access refused, no question in it", conf(REFUSES), "live.test", FAILED_SAID, 0.3, {}),
    ("unbound: access refused, then bind", conf(REFUSES, BIND), "live.test", "127.0.0.2", 0.3, {}),
    ("bind: REFUSED", conf(BIND), "x.refused.test", FAILED_SAID, 0.3, {}),
    ("bind: SERVFAIL", conf(BIND), "x.broken.test", FAILED_SAID, 0.3, {}),
    ("bind: SERVFAIL in a search domain", conf(BIND, rest="search broken.test corp.test\n"), "app", "127.0.0.4", 0.3, {"musl": MUSL_FAIL}),
    ("bind: REFUSED in a search domain", conf(BIND, rest="search refused.test corp.test\n"), "app", "127.0.0.4", 0.3, {"glibc": REST, "musl": MUSL_FAIL}),
    ("a dead first server, then bind", conf(SILENT, BIND), "live.test", "127.0.0.2", 0.5, {}),
    ("a dead first server, missing", conf(SILENT, BIND), "nobody.test", NONE, 1.5, {}),
    ("nobody there, then bind", conf(NOBODY, BIND), "live.test", "127.0.0.2", 0.5, {}),
    ("a slower one that knows, then one that denies", conf("127.0.0.71", NXDOMAIN), "live.test", NONE, 0.5, {"glibc": DENIED}),
    ("one that denies, and nobody there", conf(NXDOMAIN, NOBODY), "live.test", NONE, 0.5, {}),
    ("nobody there, then one that denies", conf(NOBODY, NXDOMAIN), "live.test", NONE, 0.5, {}),
    ("no route to one, then one that denies", conf("10.9.9.9", NXDOMAIN), "live.test", NONE, 0.5, {}),
    ("three that take 1 s", conf(SLOW, "127.0.0.64", "127.0.0.65"), "live.test", "127.0.0.2", 1.5, {}),
    ("one that takes 3 s", conf(SLOWER), "live.test", "127.0.0.2", 3.5, {}),
    ("one that takes 3 s, and search", conf(SLOWER, rest="search corp.test a b c\n"), "app", "127.0.0.4", 3.5, {}),
    ("in capitals", conf(KNOWS), "LIVE.Test.", "127.0.0.2", 0.3, {}),
    ("an alias of nothing", conf(KNOWS), "lost.test", NONE, 0.3, {}),
    ("a name that DNS cannot hold", conf(SILENT), "a..b", NONE, 0.3, {}),
    ("silence", conf(SILENT), "live.test", "resolve: timed out after 5s", 5.2, {}),
    ("silence of three", conf(SILENT, SILENT, SILENT), "live.test", "resolve: timed out after 5s", 5.2, {}),
    ("silence and search", conf(SILENT, rest="search a b c d e f\n"), "y", "resolve: timed out after 5s", 5.2, {}),
    ("SERVFAIL", conf(SERVFAIL), "live.test", FAILED_SAID, 0.3, {}),
    ("SERVFAIL, no question in it", conf(BARE_SERVFAIL), "live.test", FAILED_SAID, 0.3, {}),
    ("REFUSED", conf(REFUSED), "live.test", FAILED_SAID, 0.3, {}),
    ("REFUSED, no question in it", conf(BARE_REFUSED), "live.test", FAILED_SAID, 0.3, {}),
    ("REFUSED, no question in it, then another", conf(BARE_REFUSED, KNOWS), "live.test", "127.0.0.2", 0.3, {}),
    ("SERVFAIL in one domain", conf(DOMAINS, rest="search servfail.test corp.test\n"), "app", "127.0.0.4", 0.3, {"musl": MUSL_FAIL}),
    ("REFUSED in one domain", conf(DOMAINS, rest="search refused.test corp.test\n"), "app", "127.0.0.4", 0.3, {"glibc": REST, "musl": MUSL_FAIL}),
    ("silence in one domain", conf(DOMAINS, rest="search silent.test corp.test\n"), "app", "127.0.0.4", 3.0, {"glibc": REST, "musl": MUSL_FAIL}),
    ("silence in one domain, found as it is", conf(DOMAINS, rest="search silent.test\noptions ndots:2\n"), "app.test", "127.0.0.9", 3.0, {"musl": MUSL_FAIL}),
    ("nobody there", conf(NOBODY), "live.test", UNREACHABLE, 0.3, {}),
    ("no route to it", conf("10.9.9.9"), "live.test", "resolve: network unreachable", 0.3, {}),
    ("no resolv.conf, and nobody on this host", None, "live.test", UNREACHABLE, 0.3, {}),
    ("an empty resolv.conf", "", "live.test", UNREACHABLE, 0.3, {}),
    ("junk in resolv.conf", "\0\xff\nnameserver\nnameserver x\noptions ndots:\n", "live.test", UNREACHABLE, 0.3, {}),
    ("a name server with a zone", conf("fe80::53%lo"), "live.test", NO_ZONE, 0.3, {"glibc": ZONE_NUMBER, "musl": ZONE_NUMBER}),
    ("a name server with a numeric zone", conf("fe80::53%1"), "live.test", "127.0.0.2", 0.3, {}),
    ("a name server with a zone that is not there", conf("fe80::53%eth9"), "live.test", NO_ZONE, 0.3, {}),
    ("name servers of both families", conf(NOBODY, "::1"), "live.test", "127.0.0.2", 0.5, {}),
    ("a silent one, then a live one", conf(SILENT, KNOWS), "live.test", "127.0.0.2", 0.5, {}),
    ("a failing one, then a live one", conf(SERVFAIL, KNOWS), "live.test", "127.0.0.2", 0.3, {}),
    ("answers of other exchanges", conf(LIES), "live.test", "127.0.0.2", 0.3, LAME),
    ("no answer for IPv6", conf(ONLY_A), "live.test", "127.0.0.2", 3.0, {"musl": ONE_KIND}),
    ("SERVFAIL for IPv6", conf(NO_SIX), "live.test", "127.0.0.2", 0.5, {"musl": ONE_KIND}),
    ("truncated, and no TCP", conf(TRUNCATED), "live.test", FAILED_SAID, 0.3, {"musl": WHOLE}),
    ("use-vc", conf(ONLY_TCP, rest="options use-vc\n"), "live.test", "127.0.0.2", 0.3, {"musl": TCP}),
    ("use-vc and search", conf(ONLY_TCP, rest="search none.test corp.test\noptions use-vc\n"), "app", "127.0.0.4", 0.3, {"musl": TCP}),
    ("use-vc, missing", conf(ONLY_TCP, rest="options use-vc\n"), "nobody.test", NONE, 0.3, {"musl": TCP}),
    ("use-vc, nobody there, then a live one", conf(NOBODY, ONLY_TCP, rest="options use-vc\n"), "live.test", "127.0.0.2", 0.3, {"musl": TCP}),
    ("use-vc, nobody there", conf(NOBODY, rest="options use-vc\n"), "live.test", FAILED_SAID, 0.3, {}),
    ("a dead and a live address", conf(KNOWS), "second.test", "127.0.0.2", 3.0, {}),
    ("three dead and a live address", conf(KNOWS), "fourth.test", "127.0.0.2", 4.5, {}),
    ("no route, refused, live", conf(KNOWS), "mixed.test", "127.0.0.4", 0.3, {}),
    ("a dead address", conf(KNOWS), "hangs.test", "connect: timed out after 5s", 5.2, {}),
    ("domain", conf(KNOWS, rest="domain corp.test\n"), "app", "127.0.0.4", 0.3, {}),
    ("no search for an absolute name", conf(KNOWS, rest="search corp.test\n"), "app.", NONE, 0.3, {}),
    ("a name of hosts", conf(SILENT), "hosted", "127.0.0.2", 0.3, {}),
    ("the end of a hosts file of 1 MB", conf(SILENT), "last", "127.0.0.4", 0.3, {}),
    ("a semicolon in hosts", conf(SILENT), "semicolon", "127.0.0.8", 0.3, {}),
    ("the first of hosts is dead", conf(SILENT), "twice", "127.0.0.2", 3.0, {"musl": "musl wants the same case"}),
]


def background(work):
    threading.Thread(target=work, daemon=True).start()


def serve_names(address, answers, delay):
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53) if address != "fe80::53" else (address, 53, 0, 1))

    def send(question, peer):
        for answer in answers(question):
            server.sendto(answer, peer)

    def work():
        while True:
            question, peer = server.recvfrom(512)
            if delay:
                threading.Timer(delay, send, (question, peer)).start()
            else:
                send(question, peer)

    background(work)


def serve_tcp(address):
    """The name server's other half: a message follows its length."""
    listener = socket.socket()
    listener.bind((address, 53))
    listener.listen(64)

    def talk(stream):
        # glibc sends both questions over one connection.
        with stream.makefile("rb") as file:
            while length := file.read(2):
                for answer in knows(file.read(*struct.unpack(">H", length))):
                    stream.sendall(struct.pack(">H", len(answer)) + answer)
        stream.close()

    def work():
        while True:
            stream, _ = listener.accept()
            background(lambda stream=stream: talk(stream))

    background(work)


def serve_http(family, address):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, 8080))
    listener.listen(64)

    def work():
        while True:
            stream, _ = listener.accept()
            stream.recv(4096)
            stream.sendall(f"HTTP/1.0 200 {stream.getsockname()[0]}\r\n\r\n".encode())
            stream.close()

    background(work)


def hang(address):
    """A listener whose backlog is full: connecting to it hangs."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((address, 8080))
    listener.listen(0)
    streams = [listener]
    for _ in range(4):
        stream = socket.socket()
        stream.setblocking(False)
        stream.connect_ex((address, 8080))
        streams.append(stream)
    return streams


def real_servers():
    """dnsmasq, unbound and bind with the same names: the processes."""
    masq = ["no-resolv", "no-hosts", "domain-needed", "bind-interfaces", f"listen-address={DNSMASQ}", "local=/test/"]
    masq += [f"local=/{name}/" for name in ("wide", "corp")]
    zone = "$TTL 60\n@ SOA ns. ns. 1 60 60 60 60\n@ NS ns.\nns. A 127.0.1.4\n"
    for name, addresses in ZONE.items():
        zone += "".join(f"{name}. {'AAAA' if ':' in address else 'A'} {address}\n" for address in addresses)
        masq += [f"host-record={name},{address}" for address in addresses] or [f"txt-record={name},x"]
        zone += "" if addresses else f"{name}. TXT x\n"
    for name, other in ALIASES.items():
        zone += f"{name}. CNAME {other}.\n"
    masq += [f"cname={name},{other}" for name, other in ALIASES.items()]
    files = {
        "zone": zone,
        "refused": "$TTL 60\n@ SOA ns. ns. 1 60 60 60 60\n@ NS ns.\n",
        "dnsmasq.conf": "\n".join(masq) + "\n",
        # The name "test." would be a local zone of its own.
        **{
            f"unbound-{action}.conf": f"""server:
    interface: {address}
    access-control: 127.0.0.0/8 {action}
    chroot: ""
    username: ""
    pidfile: ""
    directory: "{SCRATCH}"
    use-syslog: no
    do-daemonize: no
    module-config: "iterator"
    local-zone: "test." nodefault
auth-zone:
    name: "."
    zonefile: "zone"
"""
            for action, address in (("allow", UNBOUND), ("refuse", REFUSES))
        },
        "named.conf": f"""options {{ directory "{SCRATCH}"; listen-on {{ {BIND}; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; pid-file none; session-keyfile none; }};
controls {{ }};
zone "." {{ type primary; file "zone"; }};
zone "broken.test" {{ type primary; file "no-such-file"; }};
zone "refused.test" {{ type primary; file "refused"; allow-query {{ none; }}; }};
""",
    }
    for name, text in files.items():
        with open(f"{SCRATCH}/{name}", "w") as file:
            file.write(text)
    commands = [
        ["dnsmasq", "--no-daemon", "--user=root", "--group=root", "--pid-file=", f"--conf-file={SCRATCH}/dnsmasq.conf"],
        ["unbound", "-d", "-c", f"{SCRATCH}/unbound-allow.conf"],
        ["unbound", "-d", "-c", f"{SCRATCH}/unbound-refuse.conf"],
        ["named", "-g", "-c", f"{SCRATCH}/named.conf"],
    ]
    log = open(f"{SCRATCH}/log", "w")
    processes = [subprocess.Popen(command, stdout=log, stderr=log, cwd=SCRATCH) for command in commands]
    question = b"\0\7\1\0\0\1\0\0\0\0\0\0" + labels("live.test") + b"\0\1\0\1"
    end = time.monotonic() + 60
    for address, wanted in ((DNSMASQ, 0), (UNBOUND, 0), (BIND, 0), (REFUSES, 5)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.1)
            client.connect((address, 53))
            while True:
                try:
                    client.send(question)
                    if client.recv(512)[3] & 15 == wanted:
                        break
                except OSError:
                    time.sleep(0.02)
                if time.monotonic() > end:
                    sys.exit(f"no answer from {address}:\n" + open(log.name).read())
    return processes


def root(number, resolv):
    """An empty root with the probe, the two C programs, and these files."""
    path = f"{SCRATCH}/roots/{number}"
    os.makedirs(f"{path}/etc", exist_ok=True)
    for program in ("probe", "glibc", "musl"):
        if not os.path.exists(f"{path}/{program}"):
            os.link(f"{SCRATCH}/{program}", f"{path}/{program}")
    hosts = "127.0.0.2 hosted # live.test\n127.0.0.3 twice\n127.0.0.2 x TWICE\n127.0.0.8 a;b semicolon\n"
    if "hosts" in str(number):
        hosts += "".join(f"0.0.0.0 blocked{line}.test\n" for line in range(40000)) + "127.0.0.4 last\n"
    for file, text in (
        ("etc/hosts", hosts),
        ("etc/host.conf", "multi on\n"),
        ("etc/nsswitch.conf", "hosts: files dns\n"),
        ("etc/resolv.conf", resolv),
    ):
        if text is not None:
            with open(f"{path}/{file}", "w", encoding="latin-1") as out:
                out.write(text)
    return path


def run(path, *command):
    start = time.monotonic()
    process = subprocess.run([CHROOT, path, *command], env={}, capture_output=True, timeout=120)
    return (process.stdout + process.stderr).decode(), process.returncode, time.monotonic() - start


def kind(said):
    """What a C program or the probe found out of the name: an address, none, or that it fails."""
    if said[0].isdigit() or said[0] == ":" or said.startswith("connect:"):
        return "found"
    return "none" if said in ("none", NONE) else "fails"


def look(path, name, limit):
    """The probe's word and time, the best of three where a busy machine was too slow."""
    target = f"http://{name}:8080/"
    for _ in range(3):
        line, exit_code, took = run(path, "/probe", target)
        if took <= limit:
            break
    healthy, unhealthy = f"healthy: {target}: 200 ", f"unhealthy: {target}: "
    says = line.removeprefix(unhealthy).removeprefix(healthy).split(" in ")[0].strip()
    if not line.startswith(unhealthy if exit_code else healthy):
        says = f"exit {exit_code}, {line!r}"
    return says, took


def case(what, resolv, name, want, limit, why):
    """A line of the table, and what is wrong."""
    path = root(what, resolv)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        others = {library: pool.submit(run, path, f"/{library}", name) for library in ("glibc", "musl")}
        says, took = look(path, name, limit)
    group = want.endswith(".")
    wrong = [] if says == want or group and says.startswith(want) else [f"want {want}"]
    if took > limit:
        wrong.append(f"want {limit} s")
    cells = [f"{says:35} {took:5.2f}"]
    for library, future in others.items():
        text, _, its_time = future.result()
        lines = text.split()
        same = kind(lines[0]) == kind(says) and (group or says in lines or kind(says) != "found" or says.startswith("connect:"))
        cells.append(f"{lines[0] + (f' +{len(lines) - 1}' if lines[1:] else ''):14} {its_time:5.2f}")
        slower = library == "glibc" and took > its_time + max(0.5, limit)
        if (not same or slower) != (library in why):
            wrong.append(f"{library} {'does not differ' if library in why else 'differs'}: {text!r}")
    return f"{what:50} {name[:11]:11} | {' | '.join(cells)} | {'; '.join(why.values())}".rstrip(" |"), wrong


def ended_by(number):
    """What is wrong when a signal ends it while it waits for a name server."""
    path = root("signals", conf(SILENT))
    was_asked.clear()
    # What a script starts in the background ignores SIGINT, and hands that on (POSIX, sh, 2.11).
    default = lambda: signal.signal(number, signal.SIG_DFL)
    process = subprocess.Popen([CHROOT, path, "/probe", "-t60s", "http://live.test/"], env={}, preexec_fn=default)
    asked_in_time = was_asked.wait(20)
    process.send_signal(number)
    exit_code = process.wait(20)
    return asked_in_time and exit_code == -number, f"asked: {asked_in_time}, exit {exit_code}"


def says(args, want, resolv=conf(KNOWS), limit=0.6):
    """What is wrong with the probe's line, or with its time."""
    path = root("probe", resolv)
    for _ in range(3):
        line, exit_code, took = run(path, "/probe", *args)
        if took <= limit:
            break
    return want in line and exit_code == (0 if " 200 " in want or "connected" in want else 1) and took <= limit, f"exit {exit_code} {line!r} {took:.2f} s"


def fifo(file, want):
    """A FIFO that nobody writes to, where a file is to be read (a C library waits for ever)."""
    path = root("fifo", conf(KNOWS))
    os.remove(f"{path}/etc/{file}")
    os.mkfifo(f"{path}/etc/{file}")
    line, _, took = run(path, "/probe", "-t60s", "http://live.test:8080/")
    os.remove(f"{path}/etc/{file}")
    return want in line and took < 30, f"{line!r} {took:.2f} s"


def to_itself(port, *options):
    """A closed port that is the only one of the ephemeral range: the kernel connects the probe to itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
        file.write(f"{port} {port}")
    line, exit_code, _ = run(root("probe", conf(KNOWS)), "/probe", *options[:-1], f"{options[-1]}127.0.0.1:{port}")
    return exit_code == 1 and line.startswith("unhealthy: "), f"exit {exit_code} {line!r}"


CHECKS = [
    ("a deadline of 500 ms, silence of three", says, ["-t500ms", "http://live.test/"], "resolve: timed out after 500ms", conf(SILENT, SILENT, SILENT)),
    ("a deadline of 300 ms, silence and search", says, ["-t300ms", "http://y/"], "resolve: timed out after 300ms", conf(SILENT, rest="search a b c d e f\n"), 0.4),
    ("a deadline of 1 s, no answer for IPv6", says, ["-t1s", "http://live.test:8080/"], " 200 ", conf(ONLY_A), 0.8),
    ("a dead address, tcp", says, ["-t400ms", "tcp://hangs.test:8080"], "connect: timed out after 400ms"),
    ("a name that comes later", says, ["-w5s", "http://live.test:8080/"], " 200 ", conf(LATER), 4.0),
    ("SERVFAIL at first (glibc asks twice at once, the probe leaves that to --wait)", says, ["http://live.test:8080/"], FAILED_SAID, conf(ONCE_SERVFAIL), 20),
    ("localhost needs no name server", says, ["http://localhost:8080/"], " 200 ", conf(SILENT)),
    ("a FIFO as hosts", fifo, "hosts", " 200 "),
    ("a FIFO as resolv.conf", fifo, "resolv.conf", UNREACHABLE),
    ("SIGTERM while it resolves", ended_by, signal.SIGTERM),
    ("SIGINT while it resolves", ended_by, signal.SIGINT),
    ("a closed port that answers itself, tcp", to_itself, 40001, "tcp://"),
    ("a closed port that answers itself, expect", to_itself, 40002, "--expect", "PING", "--data", "PING", "tcp://"),
    ("a closed port that answers itself, http", to_itself, 40003, "http://"),
]


def main():
    # named listens at addresses of interfaces only.
    for address in ("fe80::53/64", f"{BIND}/8"):
        subprocess.run(["ip", "addr", "add", address, "dev", "lo"], check=True)
    for address, (answers, delay) in NAME_SERVERS.items():
        serve_names(address, answers, delay)
    serve_names("fe80::53", knows, 0)
    serve_tcp(ONLY_TCP)
    serve_http(socket.AF_INET, "0.0.0.0")
    serve_http(socket.AF_INET6, "::")
    streams = hang("127.0.0.3")
    processes = real_servers()
    failed = 0
    try:
        print(f"{'case':50} {'name':11} | {'probe':35}     s | {'glibc':14}     s | {'musl':14}     s | why they differ", flush=True)
        # They mostly wait.
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for line, wrong in pool.map(lambda each: case(*each), CASES):
                print(line + (" | FAILED: " + ", ".join(wrong) if wrong else ""), flush=True)
                failed += bool(wrong)
        for what, check, *rest in CHECKS:
            holds, saw = check(*rest)
            print(f"ok: {what}" if holds else f"FAILED: {what}: {saw}")
            failed += not holds
    finally:
        for process in processes:
            process.terminate()
            process.wait()
    del streams
    print(f"{len(CASES) + len(CHECKS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
