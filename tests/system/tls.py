"""Real TLS servers; see tests/system/tls."""

import os
import re
import shutil
import signal
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

# What it is, its program, how to start it, what tls:// says, whether plain HTTP is answered with 400.
SERVERS = [
    ("OpenSSL, 1.2 only, RSA", "openssl", openssl("-tls1_2"), "ServerHello", False),
    ("OpenSSL, 1.3 only, ECDSA", "openssl", openssl("-tls1_3", key="ecdsa"), "ServerHello", False),
    ("OpenSSL, 1.2 only, ECDSA", "openssl", openssl("-tls1_2", key="ecdsa"), "ServerHello", False),
    ("OpenSSL, Ed25519", "openssl", openssl(key="ed25519"), "ServerHello", False),
    ("OpenSSL, 1.2 only, Ed25519", "openssl", openssl("-tls1_2", key="ed25519"), "ServerHello", False),
    ("OpenSSL, client certificate", "openssl", openssl("-Verify", "1"), "ServerHello", False),
    ("OpenSSL, secp384r1 only: HelloRetryRequest", "openssl", openssl("-groups", "secp384r1"), "ServerHello", False),
    ("GnuTLS", "gnutls-serv", gnutls(), "ServerHello", False),
    ("nginx", "nginx", nginx(""), "ServerHello", True),
    ("caddy", "caddy", written("Caddyfile", lambda port: CADDY % port, "caddy", "run", "--adapter=caddyfile", "--config"), "ServerHello", True),
    ("lighttpd", "lighttpd", lighttpd, "ServerHello", False),
    ("Go's net/http", "go", go, "ServerHello", True),
    ("Java's HttpsServer", "java", written("Server.java", JAVA, "java"), "ServerHello", False),
    ("Node", "node", written("server.js", NODE, "node"), "ServerHello", False),
    ("Python's ssl", "python3", written("server.py", PYTHON, "python3"), "ServerHello", False),
    ("OpenSSL, another name", "openssl", openssl(*WANTS_NAME), "TLS alert 112", False),
    ("GnuTLS, another name", "gnutls-serv", gnutls("--sni-hostname=x.example", "--sni-hostname-fatal"), "TLS alert 112", False),
    ("nginx, another name", "nginx", nginx("ssl_reject_handshake on;"), "TLS alert 112", True),
]


def ask(*args):
    run = subprocess.run([PROBE, *args], env={}, capture_output=True, text=True, timeout=120)
    # "healthy: TARGET: ", then what the server said.
    said = re.fullmatch(r"(?:un)?healthy: \S+?://\S+: (.*?)(?: in \S+)?\n", run.stdout + run.stderr)
    return run.returncode == 0, said[1] if said else run.stdout + run.stderr


def check(name, process, log, port, want, answers_400):
    """The cells of a row, and what is wrong with it."""
    tls, tcp, http = (f"{scheme}://localhost:{port}" for scheme in ("tls", "tcp", "http"))
    status = ["--status=400", http]
    if not ask("-q", "-t1s", "-w60s", tcp)[0]:
        with open(log, encoding="utf-8", errors="replace") as file:
            return [], ["it does not start: " + file.read()[-600:]]
    wrong, cells = [], []

    def cell(good, *args):
        healthy, said = ask(*args)
        cells.append(said)
        if not good(healthy, said):
            wrong.append(f"{args[-1]}: {said}")

    cell(lambda healthy, said: said == want and healthy == (want == "ServerHello"), "-t10s", tls)
    cell(lambda healthy, said: healthy == answers_400, "-t10s", *status)
    os.killpg(process.pid, signal.SIGSTOP)
    held = (False, "receive: timed out after 700ms")
    for args in [tls], status:
        cell(lambda *result: result == held, "-t700ms", *args)
    cell(lambda *result: result == (True, "connected"), "-t10s", tcp)
    return cells, wrong


def main():
    kinds = {"rsa": ["rsa:2048"], "ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "ed25519": ["ed25519"]}
    for name, kind in kinds.items():
        command = ["openssl", "req", "-x509", "-nodes", "-subj=/CN=localhost", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run([*command, "-newkey", *kind], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "pkcs12", "-export", "-in", "rsa.pem", "-inkey", "rsa.key", "-out", "rsa.p12", "-passout", "pass:secret"], check=True)
    passed, failed = 0, 0
    print("| server | tls:// | --status 400 | tls://, held | --status 400, held | tcp://, held |\n|---|---|---|---|---|---|")
    for port, (name, program, start, want, answers_400) in enumerate(SERVERS, 8443):
        missing = next((part for part in [program] + [LIGHTTPD_MODULE] * (name == "lighttpd") if not shutil.which(part) and not os.path.exists(part)), None)
        if missing:
            line = f"NOT RUN: tests/system/tls, {name} because {missing} is missing"
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
