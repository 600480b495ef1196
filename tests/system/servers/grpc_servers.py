"""Real gRPC servers; see tests/system/servers/grpc."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

NGINX = """daemon off; pid nginx.pid; error_log stderr; events {} http { access_log off;
server { listen 127.0.0.1:%s %s; location / { %s } } }
"""
HAPROXY = """defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen proxy
    bind 127.0.0.1:%s proto h2
    server one 127.0.0.1:%s proto h2
"""
CONTAINERD = """version = 2
root = "%s/root"
state = "%s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
    address = "%s/containerd.sock"
"""
LONG = "a" * 300


def serve(port, has_health):
    """A server of the same library in Python."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    if has_health:
        servicer = health.HealthServicer()
        status = health_pb2.HealthCheckResponse.ServingStatus
        for service in ["", "up", LONG]:
            servicer.set(service, status.SERVING)
        for name in ["NOT_SERVING", "UNKNOWN", "SERVICE_UNKNOWN"]:
            servicer.set(name, status.Value(name))
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if sys.argv[1] == "serve":
    serve(sys.argv[2], sys.argv[3] == "health")

PROBE, SCRATCH, TONIC = sys.argv[1], sys.argv[2], os.path.abspath(sys.argv[3])
ITSELF = os.path.abspath(__file__)
os.chdir(SCRATCH)


def grpcio(kind):
    return lambda port: [sys.executable, ITSELF, "serve", str(port), kind]


def tonic(kind):
    return lambda port: [TONIC, str(port), kind]


def written(name, text, *command):
    """A command whose file holds `text`, with the port in it."""

    def start(port):
        with open(name, "w", encoding="ascii") as file:
            file.write(text(port))
        return [*command, name]

    return start


def nginx(listen, location):
    return written("nginx.conf", lambda port: NGINX % (port, listen, location), "nginx", "-e", "stderr", "-p", SCRATCH, "-c")


def haproxy(upstream):
    return written("haproxy.conf", lambda port: HAPROXY % (port, upstream), "haproxy", "-db", "-f")


def etcd(port):
    peer = f"http://127.0.0.1:{port + 100}"
    client = f"http://127.0.0.1:{port}"
    return ["etcd", "--data-dir=etcd", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]


def containerd(port):
    return written("containerd.toml", lambda port: CONTAINERD % (SCRATCH, SCRATCH, SCRATCH), "containerd", "--config")(port)


# Below 32768: Linux gives the ports from there on to clients, and for a minute after a client closed, nobody
# can listen on its port.
UPSTREAM, UPSTREAM_TONIC, CLOSED = 20050, 20048, 20049
SAME = {"": "SERVING", "no.such.Service": "NOT_FOUND: no such service"}
ALL = {
    **SAME,
    "up": "SERVING",
    LONG: "SERVING",
    **{name: f"{name}, expected SERVING" for name in ["NOT_SERVING", "UNKNOWN", "SERVICE_UNKNOWN"]},
}
# What tests/tonic sets. tonic has no SERVICE_UNKNOWN to set.
RUST = {service: want for service, want in ALL.items() if service not in [LONG, "SERVICE_UNKNOWN"]}
# What it is, its program, how to start it, what grpc:// says of each service.
SERVERS = [
    ("grpcio", sys.executable, grpcio("health"), ALL),
    ("grpcio without a health service", sys.executable, grpcio("none"), {"": "UNIMPLEMENTED: no health service"}),
    ("tonic", TONIC, tonic("health"), RUST),
    ("tonic without a health service", TONIC, tonic("none"), {"": "UNIMPLEMENTED: no health service"}),
    ("etcd", "etcd", etcd, SAME),
    ("containerd", "containerd", containerd, SAME),
    ("nginx, grpc_pass", "nginx", nginx("http2", f"grpc_pass grpc://127.0.0.1:{UPSTREAM};"), ALL),
    ("nginx, grpc_pass to nobody", "nginx", nginx("http2", f"grpc_pass grpc://127.0.0.1:{CLOSED};"), {"": "502, not a gRPC answer"}),
    ("nginx, a page", "nginx", nginx("http2", "return 404;"), {"": "404, not a gRPC answer"}),
    ("nginx, HTTP/1.1", "nginx", nginx("", "return 404;"), {"": "not an HTTP/2 response: "}),
    ("haproxy", "haproxy", haproxy(UPSTREAM), ALL),
    ("nginx, tonic behind it", "nginx", nginx("http2", f"grpc_pass grpc://127.0.0.1:{UPSTREAM_TONIC};"), RUST),
    ("haproxy, tonic behind it", "haproxy", haproxy(UPSTREAM_TONIC), RUST),
    ("haproxy, nobody behind it", "haproxy", haproxy(CLOSED), {"": "503, not a gRPC answer"}),
]


def ask(*args):
    run = subprocess.run([PROBE, *args], env={}, capture_output=True, text=True, timeout=120)
    # "healthy: TARGET: ", then what the server said.
    said = re.fullmatch(r"(?:un)?healthy: \S+?://?\S+: (.*?)(?: in \S+|, over \S+)?\n", run.stdout + run.stderr)
    return run.returncode == 0, said[1] if said else run.stdout + run.stderr


def client(address, service):
    """The library's own verdict."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)
            return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        except grpc.RpcError as error:
            return error.code().name


def check(name, log, process, port, wants):
    """The cells of a row, and what is wrong with it."""
    if name == "containerd":
        path = f"{SCRATCH}/containerd.sock"
        address, plain, target = f"unix:{path}", f"unix:{path}", ["--unix-socket", path, "grpc://localhost"]
    else:
        address, plain, target = f"127.0.0.1:{port}", f"tcp://localhost:{port}", [f"grpc://localhost:{port}"]
    # Until the answer is the wanted one: a socket of containerd's or etcd's is there before its services.
    end = time.monotonic() + 60
    while not ask("-t10s", *target)[1].startswith(wants[""]) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.1)
    wrong, cells = [], []
    for service, want in wants.items():
        healthy, said = ask("-t10s", *target[:-1], f"{target[-1]}/{service}")
        cells.append(said[:40].replace("|", " "))
        theirs = client(address, service)
        if not said.startswith(want) or healthy != (want == "SERVING"):
            wrong.append(f"{service[:20]}: {said}")
        if healthy != (theirs == "SERVING") or re.match("[A-Z]", want) and re.match(r"\w+", said)[0] != theirs:
            wrong.append(f"{service[:20]}: {said}, but gRPC's client says {theirs}")
    if process.poll() is not None:
        with open(log, encoding="utf-8", errors="replace") as file:
            return None, [f"it ended by itself: {file.read()[-600:]}"]
    os.killpg(process.pid, signal.SIGSTOP)
    # Of many threads one may go on for a moment.
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    for args, result in [(target, (False, "receive: timed out after 700ms")), ([plain], (True, "connected"))]:
        healthy, said = ask("-t700ms" if args == target else "-t10s", *args)
        cells.append(said)
        # Not over a Unix socket, nor where another process accepts.
        if (healthy, re.sub(r"; \d+ connections? waits? to be accepted$", "", said)) != result:
            wrong.append(f"{args[-1]}, held: {said}")
    if wrong:
        with open(log, encoding="utf-8", errors="replace") as file:
            wrong.append(file.read()[-600:])
    return cells, wrong


class Started:
    """A server in a process group of its own, until the end of a block."""

    def __init__(self, command, log):
        self.command, self.log = command, log

    def __enter__(self):
        with open(self.log, "wb") as file:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
        return self.process

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def main():
    passed, failed = 0, 0
    print("| server | grpc:// of each service | held | tcp:// or unix:, held |\n|---|---|---|---|")
    with contextlib.ExitStack() as upstreams:
        upstreams.enter_context(Started(grpcio("health")(UPSTREAM), "upstream.log"))
        if shutil.which(TONIC):
            upstreams.enter_context(Started(tonic("health")(UPSTREAM_TONIC), "tonic.log"))
        for port, (name, program, start, wants) in enumerate(SERVERS, UPSTREAM + 1):
            missing = next((part for part in [program] + [TONIC] * ("tonic" in name) if not shutil.which(part)), None)
            if missing:
                line = f"NOT RUN: tests/system/servers/grpc, {name} because {os.path.basename(missing)} is missing"
                print(line)
                with open(os.environ.get("NOT_RUN", os.devnull), "a", encoding="utf-8") as file:
                    file.write(line + "\n")
                failed += bool(os.environ.get("REQUIRE_ALL"))
                continue
            log = f"{port}.log"
            # One that ends by itself, as a server in Python did once, says nothing of the probe.
            for _ in range(3):
                with Started(start(port), log) as process:
                    cells, wrong = check(name, log, process, port, wants)
                if cells is not None:
                    break
            if wrong:
                failed += 1
                print(f"FAILED: {name}: " + "; ".join(wrong))
            else:
                passed += 1
                print(f"| {name} | {'; '.join(cells[:-2])} | {cells[-2]} | {cells[-1]} |")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
