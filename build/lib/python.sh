# Sourced: tools of Python's registry, at a version, below target/.
# shellcheck shell=sh

# What a test says that goes nowhere without one of them.
PIP_FAILED="packages of PyPI cannot be installed"

# python_tool COMMAND PACKAGE==VERSION: whether target/python/bin/COMMAND is of that version.
python_tool() {
    want python3 /usr/share/python-wheels=python3-venv
    case $(target/python/bin/pip freeze 2>/dev/null) in *"$2"*) [ -x "target/python/bin/$1" ] && return ;; esac
    { python3 -m venv target/python && target/python/bin/pip install --quiet "$2"; } >"$SCRATCH/pip.log" 2>&1 ||
        { cat "$SCRATCH/pip.log" && false; }
}
