# Sourced by the other scripts: makes .venv in the project's folder and installs the project into it.
# Works from any folder and with spaces in the path; needs bash and Python 3.11 to 3.14, no compiler.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"

say() { printf '\n== %s\n' "$*" >&2; }

# Runs a Python to find out whether it is usable: a name on PATH may be a shim that only prints an error, and some
# systems ship Python without ensurepip, which venv needs.
usable() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' >/dev/null 2>&1
}

find_python() {
    local name
    if [ -n "${PYTHON:-}" ]; then
        if usable "$PYTHON"; then
            printf '%s\n' "$PYTHON"
            return
        fi
        printf 'PYTHON=%s is not a Python 3.11 to 3.14 with venv and ensurepip; unset it or name another.\n' "$PYTHON" >&2
        return 1
    fi
    for name in python3.14 python3.13 python3.12 python3.11 python3; do
        if usable "$name"; then
            printf '%s\n' "$name"
            return
        fi
    done
    printf 'No Python 3.11 to 3.14 with venv and ensurepip was found; install one (on Debian: python3 and python3-venv), or name it: PYTHON=/path/to/python %s\n' "$0" >&2
    return 1
}

# Whole means: a Python of a good version whose pip lies in this very folder. A folder that was moved or copied fails
# the last part, because the scripts in bin name the old place.
venv_is_whole() {
    [ -x "$VENV/bin/python" ] && usable "$VENV/bin/python" &&
        case "$("$VENV/bin/pip" --version 2>/dev/null)" in *"$VENV/"*) true ;; *) false ;; esac
}

make_venv() {
    local python
    if venv_is_whole; then
        return
    fi
    python="$(find_python)"
    say "Making $VENV with $("$python" --version)"
    "$python" -m venv --clear "$VENV"
}

fingerprint() {
    "$VENV/bin/python" - "$ROOT/pyproject.toml" "$ROOT/constraints.txt" <<'PY'
import hashlib, pathlib, sys
print(hashlib.sha256(b"".join(pathlib.Path(name).read_bytes() for name in sys.argv[1:])).hexdigest())
PY
}

# install [EXTRA]: the project, editable, with the extra's packages; skipped when neither file has changed since.
install() {
    local extra="${1:-}" now stamp quiet=()
    make_venv
    now="$(fingerprint)"
    stamp="$VENV/.installed${extra:+-$extra}"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$now" ] && [ -x "$VENV/bin/utta" ]; then
        return
    fi
    [ -t 1 ] || quiet=(--quiet)
    say "Installing UTTA${extra:+ with what its ${extra}s need} (the first time, several minutes)"
    (cd "$ROOT" && "$VENV/bin/python" -m pip install --disable-pip-version-check ${quiet[@]+"${quiet[@]}"} \
        --constraint constraints.txt --editable ".${extra:+[$extra]}")
    printf '%s\n' "$now" >"$stamp"
    # Whatever the extra, the project itself is in place now.
    printf '%s\n' "$now" >"$VENV/.installed"
}

pull_model() {
    "$VENV/bin/utta" models pull smollm2-135m-q4
}
