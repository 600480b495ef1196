"""What build/bench measures with: ROUNDS SERVER NAME=COMMAND..., probe's first.

Every command runs once in each round, in an order of its own: none always meets
the caches that the same other one left. hyperfine runs them one after the other.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from statistics import median

QUIET = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]


def size(program):
    """The bytes of a program and of the shared libraries that it loads."""
    ldd = subprocess.run(["ldd", program], capture_output=True, text=True)
    libraries = re.findall(r"(/\S+) \(0x", ldd.stdout)
    return sum(os.path.getsize(path) for path in [program, *libraries])


def run(command):
    """One run: wall and CPU time in seconds, minor page faults (of which two are
    taken before the command is one, as perf stat -e minor-faults shows)."""
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=QUIET)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, f"{command} failed: status {status:#x}"
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_minflt


def resident(command):
    """KiB that are resident when it ends: strace holds it there for a look,
    since the peak in struct rusage is at least that of the parent."""
    hold = ["strace", "-f", "-o", os.devnull, "-e", "inject=exit_group:delay_enter=300000"]
    with subprocess.Popen(hold + command, stdout=subprocess.DEVNULL) as strace:
        peak = 0
        while strace.poll() is None:
            try:
                with open(f"/proc/{strace.pid}/task/{strace.pid}/children") as children:
                    child = children.read().split()[0]
                if os.path.realpath(f"/proc/{child}/exe") == os.path.realpath(command[0]):
                    with open(f"/proc/{child}/smaps_rollup") as rollup:
                        peak = max(peak, int(re.search(r"Rss:\s+(\d+)", rollup.read())[1]))
            except (OSError, IndexError, TypeError):
                pass  # not there yet, or there no more
            time.sleep(0.01)
    return peak


def calls(command):
    """How many system calls it makes, as strace -c counts."""
    count = ["strace", "-f", "-c", "-o", "/dev/stderr"]
    out = subprocess.run(count + command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    # Share of the time, seconds, microseconds a call, calls; errors, if there were any.
    return int(re.search(r".* total$", out.stderr, re.M)[0].split()[3])


def main(rounds, server, *peers):
    serving = subprocess.Popen([server], env={"TS_PORT": "0"}, stdout=subprocess.PIPE, text=True)
    try:
        port = serving.stdout.readline().strip()
        table(int(rounds), port, peers)
    finally:
        serving.kill()


def table(rounds, port, peers):
    words = {"URL": f"http://127.0.0.1:{port}/echo", "HOST": "127.0.0.1", "PORT": port}
    commands = {}
    for peer in peers:
        name, _, line = peer.partition("=")
        command = [re.sub("|".join(words), lambda word: words[word[0]], part) for part in line.split()]
        if not command:
            sys.exit(f"want NAME=COMMAND, not {peer}")
        program = shutil.which(command[0])
        if program:
            commands[name] = [os.path.abspath(program), *command[1:]]
        else:
            print(f"{name}: no {command[0]} here, left out")
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name in random.sample(list(commands), len(commands)):
            runs[name].append(run(commands[name]))
    figures = {name: [median(column) for column in zip(*of)] for name, of in runs.items()}
    own_wall, own_cpu, _ = figures["probe"]
    print("| | size | wall | CPU | resident | page faults | system calls |\n|---|--:|--:|--:|--:|--:|--:|")
    for name, command in commands.items():
        wall, cpu, faults = figures[name]
        print(f"| {name} | {size(command[0]):,} | {wall / own_wall:.2f} | {cpu / own_cpu:.2f} "
              f"| {resident(command):,} KiB | {faults:.0f} | {calls(command)} |")
    print(f"\nMedians of {rounds} rounds, all commands in each round, all asking one server on loopback; wall and CPU time "
          f"of the whole process are multiples of the probe's, {own_wall * 1e6:.0f} and {own_cpu * 1e6:.0f} microseconds. "
          f"Sizes are in bytes, with shared libraries. {os.cpu_count()} cores, Linux {os.uname().release}.")


main(*sys.argv[1:])
