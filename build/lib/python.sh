# Sourced: tools of Python's registry, at a version, below target/.
# shellcheck shell=sh

# python_tool COMMAND PACKAGE==VERSION: whether target/python/bin/COMMAND is of that version.
python_tool() {
    want python3
    case $(target/python/bin/pip freeze 2>/dev/null) in *"$2"*) [ -x "target/python/bin/$1" ] && return ;; esac
    { python3 -m venv target/python && target/python/bin/pip install --quiet "$2"; } >"$SCRATCH/pip.log" 2>&1
}
