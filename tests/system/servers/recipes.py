"""The recipes of docs/recipes.md and their real servers; see tests/system/servers/recipes."""

import collections
import glob
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

PROBE, SCRATCH, PYTHON = sys.argv[1:]
MARK = re.compile(r"<!-- test: none here but in tests/system/servers/recipes: (\S+)( \S+)? -->")
PAGE = "docs/recipes.md"
NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
CHECKS = 10
# What the page says once, of all of them.
FROZEN = {"is frozen": ["`receive: timed out after 5s`"]}
CONF = {
    "hosts": "127.0.0.1 localhost\n",
    "empty": "",
    "unbound.conf": """server: chroot: "" username: "" use-syslog: no logfile: "" pidfile: "" directory: "." interface: 127.0.0.1@53
remote-control: control-enable: no
""",
    "named.conf": """options { directory "."; listen-on { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; automatic-interface-scan no; recursion no; dnssec-validation no; };
controls {};
zone "." { type master; file "root.zone"; };
""",
    "root.zone": "$TTL 60\n. SOA . . 1 60 60 60 60\n. NS localhost.\nlocalhost. A 127.0.0.1\n",
    "fpm.conf": """[global]
error_log = /dev/stderr
daemonize = no
[www]
user = nobody
group = nogroup
listen = 127.0.0.1:9000
pm = static
pm.max_children = 2
access.log = /dev/stderr
""",
    "haproxy.conf": """defaults
    mode http
    timeout connect 20s
    timeout client 20s
    timeout server 20s
frontend checked
    bind 127.0.0.1:8080 accept-proxy
    http-request return status 200
""",
    "envoy.json": json.dumps({"static_resources": {"listeners": [{
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 8080}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            "http_filters": [{"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"match": {"path": "/health"}, "direct_response": {"status": 200}}]}]},
        }}]}],
    }]}}),
    "new.py": """import asyncio, http
from websockets.asyncio.server import serve
def health(connection, request):
    return connection.respond(http.HTTPStatus.OK, "ok") if request.path == "/health" else None
async def main():
    async with serve(lambda stream: None, "127.0.0.1", 8080, process_request=health):
        await asyncio.get_running_loop().create_future()
asyncio.run(main())
""",
    "old.py": """import asyncio, http, websockets
async def health(path, headers):
    return (http.HTTPStatus.OK, [], b"ok") if path == "/health" else None
async def main():
    async with websockets.serve(lambda stream: None, "127.0.0.1", 8080, process_request=health):
        await asyncio.get_running_loop().create_future()
asyncio.run(main())
""",
}
NGINX = """daemon off; pid nginx.pid; error_log stderr; worker_processes 2; events {}
http { access_log /dev/stderr; server { listen 127.0.0.1:%s; ssl_certificate pair.pem; ssl_certificate_key pair.key; %s
    location / { return 200 ok; } } }
"""


def read_page():
    """By the name of a recipe: its argument vectors, and the rows of its tables, by their first cell."""
    with open(PAGE, encoding="utf-8") as file:
        lines = file.read().split("\n")
    recipes, name, at = collections.defaultdict(lambda: ([], {}, {})), None, 0
    while at < len(lines):
        mark, line = MARK.fullmatch(lines[at]), lines[at]
        at += 1
        if line.startswith("#"):
            name = None
        elif line.startswith("|") and name:
            # The table's head says of what it is; a row of dashes follows.
            kind = 2 if line.startswith("| Check |") else 1
            at += 1
            while lines[at].startswith("|"):
                first, *cells = lines[at].strip("| ").split(" | ")
                recipes[name][kind][first] = cells
                at += 1
        elif mark:
            name = mark[1]
            end = lines.index("```", at)
            text = "\n".join(lines[at + 1 : end]).replace("\\\n", "")
            if mark[2]:
                recipes[name][2][mark[2].strip()] = text
            elif lines[at] == "```yaml":
                command = json.loads(text[text.index("[") :])
                recipes[name][0].append([word.replace("$$", "$") for word in command[1:]])
            else:
                recipes[name][0].append(json.loads(text[text.index("CMD [") + 4 :]))
            at = end + 1
    for name, (commands, _, _) in recipes.items():
        assert all(command == commands[0] and command[0] == "/probe" for command in commands), f"{name}: {commands}"
    return recipes


def timeless(line):
    return re.sub(r"after [0-9.]+m?s", "after 0s", line)


def numberless(line):
    """Without what differs from run to run; addresses, and slapd's times, are hexadecimal."""
    return re.sub(r"\b(0x)?[0-9a-fA-F]*[0-9][0-9a-fA-F]*\b|[0-9]+", "0", line)


def pattern(cell, shape):
    """The text of a cell in that shape; an ellipsis is anything."""
    return re.escape(shape(cell.strip("`"))).replace("…", ".*")


def says(cell, line):
    return re.fullmatch(pattern(cell, timeless), timeless(line))


def write(name, text):
    with open(name, "w", encoding="ascii") as file:
        file.write(text)
    return name


def parent_of(pid):
    """The parent of a process that has not ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
        return None if state in "ZX" else int(parent)
    except OSError:
        return None


def is_stopped(pid):
    """Whether all threads are: until the one that takes the signal runs, the others go on."""
    states = []
    for path in glob.glob(f"/proc/{pid}/task/*/stat"):
        with open(path, encoding="utf-8", errors="replace") as file:
            states.append(file.read().rpartition(")")[2].split()[0])
    return set(states) == {"T"}


def children(pid):
    return [child for child in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(child) == pid]


def wait_until(holds):
    end = time.monotonic() + 60
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def ask(args, timeout="20s"):
    run = subprocess.run([PROBE, *args], env={"PROBE_TIMEOUT": timeout}, capture_output=True, text=True, timeout=120, check=False)
    # Of each line what follows "healthy: TARGET: ", less how long it took and how many connections wait.
    lines = [re.sub(r"^(?:un)?healthy: \S+: (?=\S)", "", line) for line in (run.stdout + run.stderr).splitlines()]
    return run.returncode == 0, [re.sub(r" in [\d.]+m?s$|; \d+ connections? waits? to be accepted$", "", line) for line in lines]


class Server:
    """A server that runs, and what it logs."""

    def __init__(self, command, ready, quit_signal):
        """`ready`: the check that is healthy once the server has started."""
        self.log, self.quit_signal = os.path.join(SCRATCH, "log"), quit_signal
        # Some servers open it a second time: all must append.
        with open(self.log, "wb"), open(self.log, "ab") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, env={**os.environ, "HOME": SCRATCH, "PYTHONWARNINGS": "ignore"})
        if not ask(["--wait", "60s", *ready])[0]:
            said = self.text()[-600:]
            self.kill()
            raise RuntimeError(f"it does not start: {command}: {said}")

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def freeze(self, workers_only):
        if not workers_only:
            os.killpg(self.process.pid, signal.SIGSTOP)
            wait_until(lambda: is_stopped(self.process.pid))
            return
        # The port is open before both of them are there.
        wait_until(lambda: len(children(self.process.pid)) == 2)
        for pid in children(self.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def end(self):
        """Lets it end by itself, so that all is logged, and returns the lines."""
        left = children(self.process.pid)
        self.process.send_signal(self.quit_signal)
        self.process.wait(60)
        # One of dnsmasq's, which has the listening socket too, would pass for the next server.
        wait_until(lambda: all(parent_of(pid) is None for pid in left))
        return self.text().splitlines()

    def kill(self):
        left = children(self.process.pid)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        # Postgres does not start while one of its processes holds the shared memory.
        wait_until(lambda: all(parent_of(pid) is None for pid in left))


def target_of(args):
    """The target of a recipe as a port check."""
    return re.sub(r"^(http|tls)://(localhost:\d+).*", r"tcp://\2", args[-1])


class Recipe:
    def __init__(self, name, start, quit_signal=signal.SIGTERM, before=None, ready=None):
        """`start`: the command of a server, by its state. `before`: done with each server that runs."""
        self.name, self.start, self.quit_signal, self.before = name, start, quit_signal, before
        self.commands, self.rows, self.logs = page[name]
        self.args = self.commands[0][1:]
        self.ready = ready or [target_of(self.args)]

    def server(self, state):
        server = Server(self.start(state), self.ready, self.quit_signal)
        if self.before:
            self.before(state, server)
        return server

    def say(self, sentence, wrong):
        counts[bool(wrong)] += 1
        print(f"{'FAILED' if wrong else 'ok'}: {self.name}: {sentence}" + (f": {wrong}" if wrong else ""), flush=True)

    def check(self, state):
        """A row of the first table: a server in a state, and what the check says."""
        want = (FROZEN | self.rows)[state][0].split(", then ")
        frozen = "frozen" in state
        healthy = want[0] in ("`replied`", "`200 OK`", "`ServerHello`")
        server = self.server("runs" if frozen else state)
        try:
            wrong = ""
            if frozen:
                server.freeze("workers" in state)
                if not ask([target_of(self.args)])[0]:
                    wrong = "even tcp:// notices it; "
            # What comes before the timeout takes longer on a machine that does other things.
            for timeout in ["20s"] if healthy else ["700ms"] if frozen else ["700ms", "5s", "20s"]:
                said = ask(self.args, timeout)
                right = said[0] == healthy and len(said[1]) == len(want) and all(map(says, want, said[1]))
                if right:
                    break
            if not right:
                wrong += f"{said[1]}, the page has {want}"
        finally:
            server.kill()
        self.say(f"the server {state}", wrong)

    def check_log(self, check):
        """A row of the second: a check, and what the server logs of it."""
        args, state = self.args, "runs"
        if check.startswith("`"):
            args = shlex.split(check.strip("`"))
        elif check != "this one":
            state = check.removeprefix("this one, with ").strip("`")
        self.compare_log(f"what is logged of {check}", args, state, self.logs[check][0])

    def compare_log(self, sentence, args, state, want):
        # What a check is to blame for is there each time; what a server says of its own end comes by chance.
        for _ in range(3):
            wrong = self.differences(args, state, want)
            if not wrong:
                break
        self.say(sentence, wrong)

    def differences(self, args, state, want):
        """What a server logs that is checked ten times more often than another, if that is not what the page has."""
        server = self.server(state)
        # One that has answered has logged its start.
        ask(self.args)
        idle = server.end()
        server = self.server(state)
        ask(self.args)
        for _ in range(CHECKS):
            healthy, lines = ask(args)
            if args is self.args and not healthy:
                server.kill()
                return f"it is not healthy: {lines}"
        line = None if want == "nothing" else pattern(want, numberless)
        if line:
            times = lambda log: sum(bool(re.search(line, numberless(logged))) for logged in log)
            wait_until(lambda: times(server.text().splitlines()) >= CHECKS + times(idle))
        count = lambda log: collections.Counter(map(numberless, log))
        more = count(server.end()) - count(idle)
        named = sum(number for logged, number in more.items() if line and re.search(line, logged))
        # An ellipsis at its end: there are more lines.
        others = 0 if want.endswith("…`") else more.total() - named
        return "" if (named, others) == (CHECKS if line else 0, 0) else f"{dict(more)}, the page has {want}"

    def run(self):
        done.add(self.name)
        for state in self.rows | FROZEN:
            self.check(state)
        # A server that was killed says so when it starts again: not in the way of the next.
        self.server("runs").end()
        for check in self.logs:
            if check != "user":
                self.check_log(check)


def not_run(what, why):
    line = f"NOT RUN: tests/system/servers/recipes, {what} because {why}"
    print(line)
    with open(os.environ.get("NOT_RUN", os.devnull), "a", encoding="utf-8") as file:
        file.write(line + "\n")
    counts[True] += bool(os.environ.get("REQUIRE_ALL"))


def lacks(what, *commands):
    missing = [command for command in commands if not command or not shutil.which(command)]
    if missing:
        not_run(what, f"{missing[0] or 'its command'} is missing")
    return bool(missing)


def left_out(what, path, package):
    """For servers that are too large to be fetched for a test: whether this one is not here."""
    if not os.path.exists(path):
        print(f"left out: {what}, which is large; on Debian: apt-get install {package}")
    return not os.path.exists(path)


def newest(pattern):
    return max(glob.glob(pattern), default="")


def postgres():
    folder = newest("/usr/lib/postgresql/*/bin")
    names = ["postgres", "postgres-session"]
    done.update(names)
    if lacks("Postgres", folder and f"{folder}/postgres"):
        return
    os.mkdir("pg")
    for name in ("pair.pem", "pair.key"):
        shutil.copy(name, "pg")
        os.chmod(f"pg/{name}", 0o600)
        shutil.chown(f"pg/{name}", "nobody", "nogroup")
    shutil.chown("pg", "nobody", "nogroup")
    for user in ("postgres", "another"):
        subprocess.run([*NOBODY, f"{folder}/initdb", "-D", f"pg/{user}", "-U", user, "--no-sync", "--auth=trust", "--locale=C"], check=True, stdout=subprocess.DEVNULL)
    write("rejects", "host all postgres all reject\n")
    write("password", "host all all all scram-sha-256\n")
    options = {
        "has TLS on": ["-cssl=on", f"-cssl_cert_file={SCRATCH}/pg/pair.pem", f"-cssl_key_file={SCRATCH}/pg/pair.key"],
        "log_connections = on": ["-clog_connections=on"],
        "rejects the user": [f"-chba_file={SCRATCH}/rejects"],
        "wants a password": [f"-chba_file={SCRATCH}/password"],
        "has no connection left": ["-cmax_connections=1", "-csuperuser_reserved_connections=0", "-cmax_wal_senders=0"],
    }
    held = []

    def before(state, server):
        wait_until(lambda: "ready to accept connections" in server.text())
        if state == "has no connection left":
            held[:] = [socket.create_connection(("127.0.0.1", 5432))]
            held[0].sendall(b"\0\0\0\x17\0\3\0\0user\0postgres\0\0")
            # ReadyForQuery, which nothing follows.
            answer = b""
            while not answer.endswith(b"Z\0\0\0\5I"):
                answer += held[0].recv(4096)

    data = lambda state: "pg/another" if state == "no such user" else "pg/postgres"
    start = lambda state: [*NOBODY, f"{folder}/postgres", "-D", data(state), "-clisten_addresses=127.0.0.1", "-cunix_socket_directories=", "-cfsync=off", *options.get(state, [])]
    for name in names:
        recipe = Recipe(name, start, before=before)
        recipe.run()
    server = recipe.server("has no connection left")
    healthy = subprocess.run([f"{folder}/pg_isready", "--quiet", "--host=127.0.0.1"], check=False).returncode == 0
    server.kill()
    recipe.say("pg_isready does not notice that no connection is left", "" if healthy else "it does")


def mariadb():
    done.add("mariadb")
    if lacks("MariaDB", "mariadbd", "mariadb-install-db", "mariadb"):
        return
    os.mkdir("/run/mysqld")
    folder = ["--no-defaults", f"--datadir={SCRATCH}/mysql", "--user=root"]
    subprocess.run(["mariadb-install-db", *folder, "--auth-root-authentication-method=normal", "--skip-test-db"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    create = page["mariadb"][2]["user"]

    def before(state, _):
        sql = "DROP USER IF EXISTS probe@localhost;" + (create if state != "has no such user" else "")
        subprocess.run(["mariadb", "--no-defaults", "--socket=/run/mysqld/mysqld.sock", "--user=root", "-e", sql], check=True)

    Recipe("mariadb", lambda _: ["mariadbd", *folder, "--socket=/run/mysqld/mysqld.sock", "--skip-networking"], before=before).run()


def redis():
    done.update(["redis", "redis-password"])
    if lacks("Redis", "redis-server"):
        return
    os.makedirs("/run/secrets")
    right = 'a "correct" \\horse#'
    write("/run/secrets/redis", right + "\n")
    passwords = {"wants a password": right, "has another password": "wrong"}
    plain_start = lambda state: ["redis-server", "--bind", "127.0.0.1", "--save", "", *(["--requirepass", passwords[state]] if state in passwords else [])]
    Recipe("redis", plain_start).run()
    Recipe("redis-password", lambda state: plain_start(state if state in passwords else "wants a password")).run()


def memcached():
    done.add("memcached")
    if not lacks("Memcached", "memcached"):
        Recipe("memcached", lambda _: ["memcached", "-u", "root", "-l", "127.0.0.1"]).run()


def php():
    done.update(["php-fpm", "php-fpm-ping"])
    command = newest("/usr/sbin/php-fpm[0-9]*")
    if lacks("php-fpm", command):
        return
    start = lambda _: [command, "-n", "-F", "-R", "-y", "fpm.conf"]
    Recipe("php-fpm", start, signal.SIGQUIT).run()
    write("ping.conf", CONF["fpm.conf"] + "ping.path = /ping\n")
    start = lambda state: [command, "-n", "-F", "-R", "-y", "fpm.conf" if state == "has no `ping.path`" else "ping.conf"]
    Recipe("php-fpm-ping", start, signal.SIGQUIT).run()


def rabbitmq():
    done.add("rabbitmq")
    command = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    if left_out("RabbitMQ", command, "rabbitmq-server"):
        return
    listen = "listeners.tcp.1 = 127.0.0.1:5672\n"
    write("rabbitmq.conf", listen)
    write("quiet.conf", listen + "log.connection.level = error\n")
    env = {
        "NODENAME": "probe@localhost",
        "MNESIA_BASE": f"{SCRATCH}/rabbitmq",
        "LOGS": "-",
        "ENABLED_PLUGINS_FILE": f"{SCRATCH}/empty",
    }
    start = lambda state: [
        "env",
        *(f"RABBITMQ_{name}={value}" for name, value in env.items()),
        f"RABBITMQ_CONFIG_FILE={SCRATCH}/{'quiet' if '=' in state else 'rabbitmq'}.conf",
        command,
    ]
    # It would start one itself, that nobody ends.
    names = subprocess.Popen(["epmd"])
    started = lambda _, server: wait_until(lambda: "Server startup complete" in server.text())
    try:
        Recipe("rabbitmq", start, before=started).run()
    finally:
        names.kill()
        names.wait()


def mqtt():
    done.add("mqtt")
    if lacks("Mosquitto", "mosquitto"):
        return
    common = "listener 1883 127.0.0.1\nuser nobody\nallow_anonymous "
    write("runs.conf", common + "true\n")
    write("password.conf", common + "false\n")
    write("quiet.conf", common + "true\nconnection_messages false\n")
    files = {"wants a password": "password.conf", "connection_messages false": "quiet.conf"}
    Recipe("mqtt", lambda state: ["mosquitto", "-c", files.get(state, "runs.conf")]).run()


def zookeeper():
    done.add("zookeeper")
    jar = "/usr/share/java/zookeeper.jar"
    if left_out("ZooKeeper", jar, "zookeeper"):
        return
    alone = f"tickTime=2000\ndataDir={SCRATCH}/zookeeper\nclientPort=2181\nadmin.enableServer=false\n"
    write("alone.cfg", alone)
    write("three.cfg", alone + "initLimit=5\nsyncLimit=2\n" + "".join(f"server.{n}=127.0.0.1:288{n}:388{n}\n" for n in (1, 2, 3)))
    os.mkdir("zookeeper")
    write("zookeeper/myid", "1\n")
    start = lambda state: ["java", "-cp", jar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", "three.cfg" if state == "has no quorum" else "alone.cfg"]
    # The port is open before the server serves.
    serves = lambda state, _: state == "has no quorum" or wait_until(lambda: ask(page["zookeeper"][0][0][1:])[0])
    Recipe("zookeeper", start, before=serves).run()


def ldap():
    done.add("ldap")
    if lacks("OpenLDAP", "slapd"):
        return
    write("anonymous.conf", "disallow bind_anon\n")
    conf = lambda state: "anonymous.conf" if state == "refuses anonymous binds" else "empty"
    Recipe("ldap", lambda state: ["slapd", "-d", "none", "-f", conf(state), "-h", "ldap://127.0.0.1:389"]).run()


def etcd():
    done.add("etcd")
    if lacks("etcd", "etcd"):
        return
    of_two = ["--initial-advertise-peer-urls=http://127.0.0.1:2380", "--initial-cluster=default=http://127.0.0.1:2380,other=http://127.0.0.1:2390"]
    alone = lambda state: state != "never had a leader"
    start = lambda state: ["etcd", "--data-dir=etcd"] if alone(state) else ["etcd", "--data-dir=etcd-of-two", *of_two]
    # Killed before, it has no leader when it starts again.
    leads = lambda state, server: alone(state) and wait_until(lambda: "ready to serve client requests" in server.text())
    Recipe("etcd", start, before=leads).run()


def dns():
    done.add("dns")
    unknown = "does not know the name"
    hosts = lambda state: f"{SCRATCH}/empty" if state == unknown else f"{SCRATCH}/hosts"
    if not lacks("dnsmasq", "dnsmasq"):
        Recipe("dns", lambda state: ["dnsmasq", "-k", "-R", "-h", "-H", hosts(state), "--listen-address=127.0.0.1", "--bind-interfaces", "--log-facility=-", "--pid-file=", "-u", "root"]).run()
    if not lacks("unbound", "unbound"):
        write("other.conf", CONF["unbound.conf"].replace("\n", ' local-zone: "localhost." always_nxdomain\n', 1))
        started = lambda _, server: wait_until(lambda: "start of service" in server.text())
        Recipe("dns", lambda state: ["unbound", "-d", "-c", "other.conf" if state == unknown else "unbound.conf"], before=started).run()
    if not lacks("BIND", "named"):
        write("other.conf", CONF["named.conf"].replace("root", "other"))
        write("other.zone", CONF["root.zone"].replace("localhost", "elsewhere"))
        started = lambda _, server: wait_until(lambda: " running\n" in server.text())
        Recipe("dns", lambda state: ["named", "-g", "-c", "other.conf" if state == unknown else "named.conf"], before=started).run()


def nginx(port, options):
    return ["nginx", "-e", "stderr", "-p", SCRATCH, "-c", write(f"{SCRATCH}/nginx.conf", NGINX % (port, options))]


def proxy():
    done.add("proxy")
    if not lacks("nginx with proxy_protocol", "nginx"):
        start = lambda state: nginx("8080 proxy_protocol", "if ($uri) { return 503; }" if state == "answers 503" else "")
        Recipe("proxy", start, signal.SIGQUIT).run()
    if not lacks("HAProxy with accept-proxy", "haproxy"):
        recipe = Recipe("proxy", lambda _: ["haproxy", "-db", "-f", "haproxy.conf"])
        for state in ("runs", "is frozen"):
            recipe.check(state)


def http11():
    done.add("http1.1")
    refuses = "if ($server_protocol = HTTP/1.0) { return 444; }"
    servers = {
        "Envoy": (f"{PYTHON}/lib/python3*/site-packages/envoy/_bin/envoy", lambda command: [command, "-c", "envoy.json", "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"]),
        "nginx with `return 444` for HTTP/1.0": (shutil.which("nginx") or "", lambda _: nginx("8080", refuses)),
        "Python's websockets 14 and 15": (f"{PYTHON}/lib/python3*/site-packages/websockets", lambda _: [f"{PYTHON}/bin/python3", "new.py"]),
        "Python's websockets 10 to 13": (f"{PYTHON}/websockets-12", lambda command: ["env", f"PYTHONPATH={command}", "python3", "old.py"]),
    }
    assert servers.keys() == page["http1.1"][1].keys()
    for name, (pattern, command) in servers.items():
        path = newest(pattern) if pattern else ""
        if not path:
            not_run(name, f"{os.path.basename(pattern) or 'it'} is missing")
            continue
        # A connection without a request is a long story in the log of websockets.
        recipe = Recipe("http1.1", lambda _: command(path), ready=page["http1.1"][0][0][1:])
        server = recipe.server("")
        try:
            without = [word for word in recipe.args if word != "--http1.1"]
            for args, want, curl in (without, recipe.rows[name][0], "--http1.0"), (recipe.args, recipe.rows[name][1], "--http1.1"):
                healthy, lines = ask(args)
                agrees = (subprocess.run(["curl", "-sf", curl, "-m60", "-o", os.devnull, args[-1]], check=False).returncode == 0) == healthy
                right = len(lines) == 1 and says(want, lines[0]) and healthy == (want == "`200 OK`") and agrees
                recipe.say(f"{name}: {' '.join(args)}", "" if right else f"{lines}, the page has {want}, curl agrees: {agrees}")
            server.freeze(False)
            recipe.say(f"{name} is frozen", "" if ask(recipe.args, "700ms") == (False, ["receive: timed out after 700ms"]) else "not noticed")
        finally:
            server.kill()
        recipe.compare_log(f"what {name} logs", recipe.args, "", recipe.rows[name][2])


def either():
    done.add("any")
    if not lacks("nginx with HTTP or TLS", "nginx"):
        Recipe("any", lambda state: nginx("8443 ssl" if "TLS" in state else "8443", ""), signal.SIGQUIT).run()


def main():
    os.chdir(SCRATCH)
    for name, text in CONF.items():
        write(name, text)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj=/CN=localhost", "-keyout", "pair.key", "-out", "pair.pem"], check=True, stderr=subprocess.DEVNULL)
    for part in (postgres, mariadb, redis, memcached, rabbitmq, mqtt, zookeeper, ldap, etcd, php, dns, proxy, http11, either):
        started = time.monotonic()
        try:
            part()
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            counts[True] += 1
            print(f"FAILED: {part.__name__}: {error}")
        print(f"({part.__name__}: {time.monotonic() - started:.1f} s)", flush=True)
    if page.keys() != done:
        print(f"FAILED: recipes of the page, and those that ran: {sorted(page.keys() ^ done)}")
        counts[True] += 1
    print(f"{counts[False]} passed, {counts[True]} failed")
    sys.exit(counts[True] != 0 or counts[False] == 0)


page, done, counts = read_page(), set(), collections.Counter()
main()
