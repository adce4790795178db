#!/bin/sh
# Make .venv with the first Python >= 3.11 on the PATH.
set -eu

for python in python3 python3.11 python3.12 python3.13 python; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "Installing into .venv; this takes a minute, once."
        "$python" -m venv --clear .venv && exit
        echo "$python cannot make a virtual environment." >&2
        echo "On Debian and Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
done
echo "OpenCoach needs Python 3.11 or newer, and found none on the PATH." >&2
exit 1
