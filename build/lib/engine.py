"""What health checks cost the engine, measured for build/bench: FOLDER PERIOD, with `probe` and `stand_in` in FOLDER.
This machine's curl stands beside the probe.

An engine of its own runs in a cgroup of its own, below which are its containers. There the kernel counts the CPU time
of all that a check is made of: dockerd, containerd, shims, runc and the check itself; and the idle engine's and the
servers' own. What else this machine does is not in it. Its network and mounts are its own, too: with no bridge wanted,
dockerd deletes docker0, which may be another engine's.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

FOLDER, PERIOD = os.path.abspath(sys.argv[1]), int(sys.argv[2])
NAME = f"probe-bench-{os.getpid()}"
HOST = f"unix://{FOLDER}/docker.sock"
# An image, and docker run's options before it.
CHECKS = {
    "no check": ["--no-healthcheck", "probe"],
    "interval 30s": ["--health-interval=30s", "probe"],
    "interval 1s": ["--health-interval=1s", "probe"],
    "interval 1s, `--hold 30s`": ["--health-interval=1s", "--env=PROBE_HOLD=30s", "probe"],
    "interval 1s, curl": ["--health-interval=1s", "curl"],
}
COUNTS = (1, 20)
# Older than the hold, in seconds.
WARM = 32
CURL = shutil.which("curl")
# An image's check.
IMAGES = {
    "probe": '["/probe", "http://localhost:8090/echo"]',
    "curl": f'["{CURL}", "-fsSo", "/dev/null", "http://localhost:8090/echo"]',
}


def roots():
    """Where cgroups are made; the first counts CPU time."""
    with open("/proc/mounts") as mounts:
        mounted = [line.split()[1] for line in mounts if line.split()[2].startswith("cgroup")]
    return sorted(mounted, key=lambda place: "cpuacct" not in os.path.basename(place).split(","))


def cpu():
    """Seconds of CPU time that the cgroup has taken."""
    # The first one is cgroup v1's.
    if os.path.exists(f"{ROOTS[0]}/{NAME}/cpuacct.usage"):
        with open(f"{ROOTS[0]}/{NAME}/cpuacct.usage") as usage:
            return int(usage.read()) / 1e9
    with open(f"{ROOTS[0]}/{NAME}/cpu.stat") as stat:
        return int(dict(line.split() for line in stat)["usage_usec"]) / 1e6


def docker(*args, **options):
    return subprocess.run(["docker", "--host", HOST, *args], check=True, capture_output=True, text=True, **options).stdout


def daemon(*command):
    # In a cgroup without others below: cgroup2 wants that.
    shell = 'echo $$ >"$1" && shift && exec "$@"'
    with open(f"{FOLDER}/log", "ab") as log:
        # In a session of its own: a Ctrl-C ends the measurement, which then ends the engine.
        return subprocess.Popen(["sh", "-c", shell, "sh", f"{ROOTS[0]}/{NAME}/engine/cgroup.procs", *command],
                                stdout=log, stderr=log, start_new_session=True)


@contextlib.contextmanager
def engine():
    os.makedirs(f"{ROOTS[0]}/{NAME}/engine")
    with open(f"{FOLDER}/containerd.toml", "w") as config:
        config.write('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    with open(f"{FOLDER}/daemon.json", "w") as config:
        config.write("{}")
    address = f"{FOLDER}/containerd.sock"
    containerd = daemon("containerd", "--config", f"{FOLDER}/containerd.toml", "--address", address,
                        "--root", f"{FOLDER}/containerd", "--state", f"{FOLDER}/containerd-run")
    dockerd = daemon("dockerd", "--config-file", f"{FOLDER}/daemon.json", "--host", HOST, "--containerd", address,
                     "--data-root", f"{FOLDER}/docker", "--exec-root", f"{FOLDER}/docker-run", "--pidfile", f"{FOLDER}/pid",
                     "--bridge", "none", "--iptables=false", "--ip-forward=false", "--storage-driver", "vfs",
                     "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{NAME}")
    try:
        until(lambda: subprocess.run(["docker", "--host", HOST, "info"], capture_output=True).returncode == 0)
        # It is busy with its own start for a while.
        time.sleep(60)
        try:
            yield
        finally:
            # Those of a measurement that was interrupted: their shims outlive the engine.
            if names := docker("ps", "--all", "--quiet").split():
                docker("rm", "--force", *names)
    finally:
        for process in (dockerd, containerd):
            process.terminate()
            process.wait()
        for root in ROOTS:
            for folder, *_ in os.walk(f"{root}/{NAME}", topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)


def until(holds):
    end = time.monotonic() + 120
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"the engine is not ready; see {FOLDER}/log")
        time.sleep(0.2)


def cost(options, count):
    """Milliseconds of CPU time a second while `count` containers run, and the checks a second of one of them."""
    names = [f"c{number}" for number in range(count)]
    for name in names:
        docker("run", "--detach", "--network=none", "--name", name, *options)
    time.sleep(WARM)
    # From the end of a check to the end of another, so that whole checks are measured.
    with subprocess.Popen(["docker", "--host", HOST, "events", "--filter=container=c0", "--filter=event=exec_die"],
                          stdout=subprocess.PIPE) as events:
        is_checked, checks = options != CHECKS["no check"], 0
        if is_checked:
            events.stdout.readline()
        began, before = time.monotonic(), cpu()
        while is_checked and time.monotonic() < began + PERIOD:
            events.stdout.readline()
            checks += 1
        if not is_checked:
            time.sleep(PERIOD)
        took, used = time.monotonic() - began, cpu() - before
        events.terminate()
    docker("rm", "--force", *names)
    return used * 1000 / took, checks / took


def make_images():
    libraries = re.findall(r"/\S+(?= \(0x)", subprocess.run(["ldd", CURL], check=True, capture_output=True, text=True).stdout)
    files = subprocess.run(["tar", "--create", "--dereference", CURL, *libraries, "--directory", FOLDER, "probe", "stand_in"],
                           check=True, capture_output=True).stdout
    for image, check in IMAGES.items():
        changes = [f"--change=HEALTHCHECK --timeout=60s CMD {check}", '--change=ENTRYPOINT ["/stand_in"]']
        subprocess.run(["docker", "--host", HOST, "import", *changes, "-", image], input=files, check=True, capture_output=True)


def main():
    with engine():
        make_images()
        print("| | " + " | ".join(f"{count} container{'s' * (count > 1)}" for count in COUNTS) + " |")
        print("|---|" + "--:|" * len(COUNTS))
        costs = {}
        for name, options in CHECKS.items():
            costs[name] = [cost(options, count) for count in COUNTS]
            print(f"| {name} | " + " | ".join(f"{used:,.1f}" for used, _ in costs[name]) + " |", flush=True)
        versions = docker("version", "--format", "{{range .Server.Components}}{{.Name}} {{.Version}}, {{end}}")
    idle, _ = costs["no check"][0]
    one, with_curl = ((used - idle) / rate for used, rate in (costs[name][0] for name in ("interval 1s", "interval 1s, curl")))
    print(f"\nMilliseconds of CPU time a second, over {PERIOD} s each. One check takes {one:.1f} ms, with curl {with_curl:.1f}. "
          f"{versions.replace('Engine', 'Docker')}{os.cpu_count()} cores, Linux {os.uname().release}.")


# SIGTERM ends it as Ctrl-C does: with its engine.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
if os.readlink("/proc/self/ns/net") == os.readlink(f"/proc/{os.getppid()}/ns/net"):
    os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
ROOTS = roots()
main()
