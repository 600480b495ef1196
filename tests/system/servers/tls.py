"""Real TLS servers; see tests/system/servers/tls."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

PROBE, SCRATCH = sys.argv[1], sys.argv[2]
os.chdir(SCRATCH)

GO = """package main
import ("net/http"; "os")
func main() { panic(http.ListenAndServeTLS("127.0.0.1:"+os.Args[1], "rsa.pem", "rsa.key", nil)) }
"""
JAVA = """import com.sun.net.httpserver.*; import java.io.*; import java.net.*; import java.security.*; import javax.net.ssl.*;
class Server { public static void main(String[] args) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(new FileInputStream("rsa.p12"), "secret".toCharArray());
    KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
    keys.init(store, "secret".toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    HttpsServer server = HttpsServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 0);
    server.setHttpsConfigurator(new HttpsConfigurator(context));
    server.start();
} }
"""
NODE = """const fs = require('fs');
const pair = { cert: fs.readFileSync('rsa.pem'), key: fs.readFileSync('rsa.key') };
require('https').createServer(pair, (request, response) => response.end()).listen(process.argv[2], '127.0.0.1');
"""
PYTHON = """import http.server, ssl, sys
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('rsa.pem', 'rsa.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
NGINX = """daemon off; pid nginx.pid; error_log stderr; events {} http { access_log off;
server { listen 127.0.0.1:%s ssl; ssl_certificate %s/rsa.pem; ssl_certificate_key %s/rsa.key;
ssl_protocols TLSv1.2 TLSv1.3; %s } }
"""
CADDY = """{
    admin off
    auto_https off
}
https://localhost:%s {
    bind 127.0.0.1
    tls rsa.pem rsa.key
    respond ok
}
"""
LIGHTTPD = """server.modules = ("mod_openssl") server.bind = "127.0.0.1" server.port = %s
server.document-root = "%s" ssl.engine = "enable" ssl.pemfile = "rsa.pem" ssl.privkey = "rsa.key"
"""


def openssl(*options, key="rsa"):
    return lambda port: ["openssl", "s_server", "-www", "-accept", f"127.0.0.1:{port}", *pair("", key), *options]


def pair(number, key):
    return [f"-cert{number}", f"{key}.pem", f"-key{number}", f"{key}.key"]


def suite(name):
    """The least that a security level refuses is none of the client's business."""
    return openssl("-tls1_2", "-cipher", name + "@SECLEVEL=0")


def gnutls(*options):
    return lambda port: ["gnutls-serv", "--http", "-p", str(port), "--x509certfile=rsa.pem", "--x509keyfile=rsa.key", *options]


def written(name, text, *command):
    """A command whose file holds `text`, with the port in it."""

    def start(port):
        with open(name, "w", encoding="ascii") as file:
            file.write(text(port) if callable(text) else text)
        return [*command, name] if callable(text) else [*command, name, str(port)]

    return start


def nginx(options):
    text = lambda port: NGINX % (port, SCRATCH, SCRATCH, options)
    return written("nginx.conf", text, "nginx", "-e", "stderr", "-p", SCRATCH, "-c")


def lighttpd(port):
    return written("lighttpd.conf", lambda port: LIGHTTPD % (port, SCRATCH), "lighttpd", "-D", "-f")(port)


def go(port):
    written("server.go", GO)(port)
    subprocess.run(["go", "build", "-o", "go-server", "server.go"], check=True, env={**os.environ, **HOME})
    return ["./go-server", str(port)]


HOME = {"HOME": SCRATCH, "XDG_DATA_HOME": SCRATCH, "XDG_CONFIG_HOME": SCRATCH}
WANTS_NAME = "-servername", "x.example", "-servername_fatal", *pair("2", "rsa")
LIGHTTPD_MODULE = "/usr/lib/lighttpd/mod_openssl.so"

# What it is, its program, how to start it, what tls:// says, whether plain HTTP is answered with 400;
# None where the offer is all that differs.
SERVERS = [
    ("OpenSSL, 1.2 only, RSA", "openssl", openssl("-tls1_2"), "ServerHello", False),
    ("OpenSSL, 1.3 only, ECDSA", "openssl", openssl("-tls1_3", key="ecdsa"), "ServerHello", False),
    ("OpenSSL, 1.2 only, ECDSA", "openssl", openssl("-tls1_2", key="ecdsa"), "ServerHello", False),
    ("OpenSSL, Ed25519", "openssl", openssl(key="ed25519"), "ServerHello", False),
    ("OpenSSL, 1.2 only, Ed25519", "openssl", openssl("-tls1_2", key="ed25519"), "ServerHello", False),
    ("OpenSSL, client certificate", "openssl", openssl("-Verify", "1"), "ServerHello", False),
    ("OpenSSL, secp384r1 only: HelloRetryRequest", "openssl", openssl("-groups", "secp384r1"), "ServerHello", False),
    ("OpenSSL, P-521 only", "openssl", openssl("-groups", "P-521"), "ServerHello", None),
    ("OpenSSL, 1.2 only, P-521 only", "openssl", openssl("-tls1_2", "-cipher", "ECDHE", "-groups", "P-521"), "ServerHello", None),
    ("OpenSSL, X448 only", "openssl", openssl("-groups", "X448"), "ServerHello", None),
    ("OpenSSL, 1.2 only, X448 only", "openssl", openssl("-tls1_2", "-cipher", "ECDHE", "-groups", "X448"), "ServerHello", None),
    ("OpenSSL, ffdhe4096 only", "openssl", openssl("-tls1_3", "-groups", "ffdhe4096"), "ServerHello", None),
    ("OpenSSL, one CBC-SHA256 suite, RSA", "openssl", suite("AES256-SHA256"), "ServerHello", None),
    ("OpenSSL, one CBC-SHA256 suite, DHE", "openssl", suite("DHE-RSA-AES128-SHA256"), "ServerHello", None),
    ("OpenSSL, one CBC-SHA384 suite, ECDHE", "openssl", suite("ECDHE-RSA-AES256-SHA384"), "ServerHello", None),
    ("OpenSSL, one CBC-SHA suite, DHE", "openssl", suite("DHE-RSA-AES256-SHA"), "ServerHello", None),
    ("OpenSSL, 1.2 only, signatures with SHA-224 only", "openssl", openssl("-tls1_2", "-sigalgs", "RSA+SHA224"), "ServerHello", None),
    ("GnuTLS", "gnutls-serv", gnutls(), "ServerHello", False),
    ("GnuTLS, CBC-SHA256 only", "gnutls-serv", gnutls("--priority=NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-CBC:-MAC-ALL:+SHA256"), "ServerHello", None),
    ("GnuTLS, 1.3 only, secp521r1 only", "gnutls-serv", gnutls("--priority=NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP521R1"), "ServerHello", None),
    ("nginx", "nginx", nginx(""), "ServerHello", True),
    ("caddy", "caddy", written("Caddyfile", lambda port: CADDY % port, "caddy", "run", "--adapter=caddyfile", "--config"), "ServerHello", True),
    ("lighttpd", "lighttpd", lighttpd, "ServerHello", False),
    ("Go's net/http", "go", go, "ServerHello", True),
    ("Java's HttpsServer", "java", written("Server.java", JAVA, "java"), "ServerHello", False),
    ("Node", "node", written("server.js", NODE, "node"), "ServerHello", False),
    ("Python's ssl", "python3", written("server.py", PYTHON, "python3"), "ServerHello", False),
    ("OpenSSL, another name", "openssl", openssl(*WANTS_NAME), "server refused with TLS alert 112", False),
    ("GnuTLS, another name", "gnutls-serv", gnutls("--sni-hostname=x.example", "--sni-hostname-fatal"), "server refused with TLS alert 112", False),
    ("nginx, another name", "nginx", nginx("ssl_reject_handshake on;"), "server refused with TLS alert 112", True),
]


def ask(*args):
    run = subprocess.run([PROBE, *args], env={}, capture_output=True, text=True, timeout=120)
    # "healthy: TARGET: ", then what the server said.
    said = re.fullmatch(r"(?:un)?healthy: \S+?://\S+: (.*?)(?: in \S+)?\n", run.stdout + run.stderr)
    return run.returncode == 0, said[1] if said else run.stdout + run.stderr


def offer(*command):
    """The cipher suites, groups and signature algorithms in the ClientHello of a command, whose last word is a port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        client = subprocess.Popen([word.format(listener.getsockname()[1]) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with listener.accept()[0] as stream:
            stream.settimeout(60)
            record = stream.recv(5, socket.MSG_WAITALL)
            hello = stream.recv(int.from_bytes(record[3:], "big"), socket.MSG_WAITALL)
        client.wait()

    def vector(data, width):
        end = width + int.from_bytes(data[:width], "big")
        return data[width:end], data[end:]

    def numbers(data):
        return {data[at : at + 2].hex() for at in range(0, len(data), 2)}

    _, rest = vector(hello[38:], 1)
    suites, rest = vector(rest, 2)
    _, rest = vector(rest, 1)
    extensions, _ = vector(rest, 2)
    found = {}
    while extensions:
        kind = extensions[:2].hex()
        found[kind], extensions = vector(extensions[2:], 2)
    return {"cipher suites": numbers(suites), "groups": numbers(found["000a"][2:]), "signature algorithms": numbers(found["000d"][2:])}


def compare_offers():
    """What OpenSSL's client offers and tls:// does not, a line each."""
    ours, theirs = offer(PROBE, "-q", "-t60s", "tls://127.0.0.1:{}"), offer("openssl", "s_client", "-connect", "127.0.0.1:{}")
    for kind in theirs:
        print(f"{kind}: OpenSSL offers {len(theirs[kind])}, tls:// {len(ours[kind])}")
    return [f"{kind}: " + " ".join(sorted(theirs[kind] - ours[kind])) for kind in theirs if theirs[kind] - ours[kind] or not theirs[kind]]


def check(name, process, log, port, want, answers_400):
    """The cells of a row, and what is wrong with it."""
    tls, tcp, http = (f"{scheme}://localhost:{port}" for scheme in ("tls", "tcp", "http"))
    status = ["--status=400", http]
    if not ask("-q", "-t1s", "-w60s", tcp)[0]:
        with open(log, encoding="utf-8", errors="replace") as file:
            return [], ["it does not start: " + file.read()[-600:]]
    wrong, cells = [], []
    url = f"https://localhost:{port}/"
    # 35: the handshake failed.
    if want != "ServerHello" and subprocess.run(["curl", "-sk", "-m60", "-o", os.devnull, url], check=False).returncode != 35:
        wrong.append("curl connects")

    def cell(good, *args):
        healthy, said = ask(*args)
        cells.append(said)
        if not good(healthy, said):
            wrong.append(f"{args[-1]}: {said}")

    cell(lambda healthy, said: said == want and healthy == (want == "ServerHello"), "-t10s", tls)
    if answers_400 is None:
        return cells, wrong
    cell(lambda healthy, said: healthy == answers_400, "-t10s", *status)
    os.killpg(process.pid, signal.SIGSTOP)
    # A thread in accept(2) takes one more connection until it has stopped.
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    for waiting, args in ("1 connection waits", [tls]), ("2 connections wait", status):
        held = (False, f"receive: timed out after 700ms; {waiting} to be accepted")
        cell(lambda *result, held=held: result == held, "-t700ms", *args)
    cell(lambda *result: result == (True, "connected"), "-t10s", tcp)
    return cells, wrong


def main():
    kinds = {"rsa": ["rsa:2048"], "ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "ed25519": ["ed25519"]}
    for name, kind in kinds.items():
        command = ["openssl", "req", "-x509", "-nodes", "-subj=/CN=localhost", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run([*command, "-newkey", *kind], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "pkcs12", "-export", "-in", "rsa.pem", "-inkey", "rsa.key", "-out", "rsa.p12", "-passout", "pass:secret"], check=True)
    lacking = compare_offers()
    passed, failed = int(not lacking), int(bool(lacking))
    for what in lacking:
        print(f"FAILED: tls:// does not offer OpenSSL's {what}")
    print("| server | tls:// | --status 400 | tls://, held | --status 400, held | tcp://, held |\n|---|---|---|---|---|---|")
    for port, (name, program, start, want, answers_400) in enumerate(SERVERS, 8443):
        missing = next((part for part in [program] + [LIGHTTPD_MODULE] * (name == "lighttpd") if not shutil.which(part) and not os.path.exists(part)), None)
        if missing:
            line = f"NOT RUN: tests/system/servers/tls, {name} because {missing} is missing"
            print(line)
            with open(os.environ.get("NOT_RUN", os.devnull), "a", encoding="utf-8") as file:
                file.write(line + "\n")
            failed += bool(os.environ.get("REQUIRE_ALL"))
            continue
        log = f"{port}.log"
        with open(log, "wb") as file:
            process = subprocess.Popen(start(port), stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={**os.environ, **HOME}, start_new_session=True)
        try:
            cells, wrong = check(name, process, log, port, want, answers_400)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if wrong:
            failed += 1
            print(f"FAILED: {name}: " + "; ".join(wrong))
        else:
            passed += 1
            print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
