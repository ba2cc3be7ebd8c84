#!/bin/sh
# Makes .venv hold exactly what the lock file $1 names, and the project itself. Called by ./run and ./test.
# When nothing has changed it only compares two files. An interrupted set-up is simply begun again.
set -eu
unset CDPATH
cd -- "$(dirname -- "$0")"
lock=$1
uv_version=0.13.8
export UV_SYSTEM_CERTS=true  # as pip does: a company's own authority is known only to the system
say() { printf '%s\n' "$*" >&2; }
fail() { say "billbus: $*"; exit 1; }
has_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# A moved checkout or a removed interpreter makes the environment useless: begin anew.
if has_python .venv/bin/python && [ "$(cat .venv/checkout 2>/dev/null || pwd)" = "$PWD" ]; then
    cmp -s "$lock" ".venv/$lock" && exit 0
else
    # Each candidate is run: a pyenv shim is on PATH also for versions that are not installed.
    python=
    for candidate in ${BILLBUS_PYTHON:+"$BILLBUS_PYTHON"} python3.11 python3.12 python3.13 python3.14 python3 python; do
        if has_python "$candidate"; then python=$candidate; break; fi
    done
    [ -n "$python" ] || fail "Python 3.11 or newer is needed and not on PATH: install it, or name it in BILLBUS_PYTHON."
    rm -rf .venv
fi

say "billbus: setting up .venv from $lock"
uv=$(command -v uv || :)
if [ -z "$uv" ]; then
    uv=.tools/uv/bin/uv
    if ! "$uv" --version >/dev/null 2>&1; then
        rm -rf .tools/uv
        "${python:-.venv/bin/python}" -m venv .tools/uv >/dev/null 2>&1 ||
            fail "this Python has no venv module: install the package python3-venv, or uv."
        .tools/uv/bin/python -m pip install -qq --disable-pip-version-check "uv==$uv_version" || uv=
    fi
fi
if [ ! -d .venv ]; then
    if [ -n "$uv" ]; then "$uv" venv -q --python "$python" .venv; else "$python" -m venv .venv; fi ||
        fail "no environment could be made in $PWD/.venv: see above."
    printf '%s\n' "$PWD" >.venv/checkout
fi
# pip is the way out where uv cannot install, for instance from an index that only pip is configured for.
if [ -z "$uv" ] || ! "$uv" pip install -q --python .venv/bin/python --require-hashes -r "$lock"; then
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null 2>&1 ||
        fail "neither uv nor pip can install here: see above, or install the package python3-venv."
    .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r "$lock" ||
        fail "the packages of $lock could not be installed: see above."
fi

# The project itself: what an editable install leaves behind, without a build backend to download.
.venv/bin/python -c 'import os, sysconfig
with open(os.path.join(sysconfig.get_path("purelib"), "billbus.pth"), "w") as path: path.write(os.getcwd() + "\n")'
cat >.venv/bin/billbus <<'END'
#!/bin/sh
exec "$(dirname -- "$0")/python" -m cli.main "$@"
END
chmod +x .venv/bin/billbus
# The development lock holds all of the other one, in the same versions.
[ "$lock" = requirements.lock ] || cp requirements.lock .venv/requirements.lock
printf '%s\n' "$PWD" >.venv/checkout
cp "$lock" ".venv/$lock"
