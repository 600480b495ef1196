"""Another user in the folder that root installs into; see tests/system/servers/install."""

import os
import subprocess
import sys

PROBE, FOLDER = sys.argv[1:]
INSTALLS = 1000
NOBODY = 65534
VICTIM = f"{FOLDER}/victim"


def swap(path):
    """A link in the file's place: true if it is there."""
    os.rename(path, f"{FOLDER}/taken")
    os.symlink(VICTIM, path)
    return True


def write(path):
    """True if the file can be written to."""
    os.close(os.open(path, os.O_WRONLY))
    return True


def meddle(act):
    """Does this to every file that is being installed, in a process of another user; returns its end."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.close(writer)
        os.set_blocking(reader, False)
        done = 0
        while True:
            for name in os.listdir(FOLDER):
                try:
                    done += name.startswith(".probe-") and act(f"{FOLDER}/{name}")
                except OSError:
                    pass
            try:
                # The end of the pipe: nothing more is installed.
                os.read(reader, 1)
                os._exit(min(done, 255))
            except BlockingIOError:
                pass

    def end():
        os.close(writer)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return end


def install():
    for _ in range(INSTALLS):
        subprocess.run([PROBE, "--install", f"{FOLDER}/probe"], capture_output=True)


def swapping():
    """He may write to the folder, and has links to root's file take the place of what is written."""
    os.chmod(FOLDER, 0o777)
    end = meddle(swap)
    install()
    swapped = end()
    mode = os.stat(VICTIM).st_mode & 0o7777
    return mode == 0o600 and open(VICTIM).read() == "secret", f"{swapped} swapped: root's file has mode {mode:o}"


def writing():
    """He may not write to the folder, and root's umask takes nothing away."""
    os.chmod(FOLDER, 0o755)
    os.umask(0)
    end = meddle(write)
    install()
    written = end()
    return written == 0, f"{written} files were open to him"


def main():
    with open(VICTIM, "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("secret")
    failed = 0
    for sentence, check in (
        ("another user's link in the place of what is written", swapping),
        ("another user, and a umask of 0", writing),
    ):
        holds, saw = check()
        print(f"{'ok' if holds else 'FAILED'}: {sentence}: {saw}")
        failed += not holds
    sys.exit(1 if failed else 0)


main()
