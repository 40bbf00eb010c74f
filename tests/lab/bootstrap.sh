#!/usr/bin/env bash
# From a bare Debian 12+ or Ubuntu 24.04+ (bash, make, python3; root or sudo) to a checkout that is ready to run:
# system packages, .venv, pinned dependencies, the program itself, an Asterisk. Run again, it takes under a second.
# With the word `test` it also provides PostgreSQL's programs, which the tests run in a cluster of their own.
set -euo pipefail
PURPOSE=${1:-run}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

STEPS=5
STAMP=.venv/.callwright-stamp
LOG=.lab/bootstrap.log
mkdir -p .lab
: >"$LOG"

fail() {
    printf 'failed\n' >&2
    printf '%s\n' "$1" >&2
    exit 1
}


# begin N NAME / ready [WORD]: one plain line per step, ending with what happened and how long it took
begin() {
    printf '[%s/%s] %s ... ' "$1" "$STEPS" "$2"
    started=${EPOCHREALTIME/[.,]/}
}
ready() {
    local tenths=$(((${EPOCHREALTIME/[.,]/} - started) / 100000))
    printf '%s (%d.%d s)\n' "${1:-ready}" $((tenths / 10)) $((tenths % 10))
}

# quietly COMMAND...: its output goes to the log; the last lines are shown when it fails
quietly() {
    if ! "$@" >>"$LOG" 2>&1 </dev/null; then
        tail -n 15 "$LOG" >&2
        return 1
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# may_be_root WHY: leaves with a sentence when there is no way to become root; asks for a password on a terminal
may_be_root() {
    [ "$(id -u)" -eq 0 ] && return
    command -v sudo >/dev/null || fail "$1 needs root or sudo."
    sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } || fail "$1 needs root or sudo."
}

missing_packages() {
    python3 -c 'import ensurepip, venv' 2>/dev/null || printf 'python3-venv\n'
    if [ "$PURPOSE" = test ] && ! command -v postgres >/dev/null; then
        compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || printf 'postgresql\n'
    fi
    # debootstrap is wanted only where the private Asterisk still has to be made
    if [ -z "${CALLWRIGHT_ASTERISK:-}" ] && [ ! -d .lab/rootfs ]; then
        [ -n "$(PATH=$PATH:/usr/sbin:/sbin command -v debootstrap || true)" ] || printf 'debootstrap\n'
        compgen -G '/usr/share/keyrings/debian-archive-keyring.*' >/dev/null || printf 'debian-archive-keyring\n'
    fi
}

install_packages() {
    command -v apt-get >/dev/null || fail "apt-get is missing; install by hand: $*"
    may_be_root "Installing $*"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
    if ! compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || ! quietly as_root "${install[@]}" 2>/dev/null; then
        quietly as_root apt-get update || fail "apt-get update failed; all of it is in $LOG."
        quietly as_root "${install[@]}" || fail "apt-get install $* failed; all of it is in $LOG."
    fi
}

# Debian starts a cluster when it installs PostgreSQL; nothing is to run that was not there before
without_cluster() {
    local file=/etc/postgresql-common/createcluster.conf
    if [ -e "$file" ]; then
        "$@"
        return
    fi
    as_root sh -c "mkdir -p ${file%/*} && echo 'create_main_cluster = false' >$file"
    "$@"
    as_root rm -f "$file"
}

begin 1 'system packages'
command -v python3 >/dev/null || fail 'python3 is missing: install Python 3.11 or newer.'
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$(python3 -V) is too old: Python 3.11 or newer is needed."
mapfile -t wanted < <(missing_packages)
if [ "${#wanted[@]}" -gt 0 ]; then
    without_cluster install_packages "${wanted[@]}"
    ready "installed ${wanted[*]}"
else
    ready
fi

sum=$({ cat requirements.lock requirements-dev.lock pyproject.toml; printf '%s\n' "$PWD"; python3 -V; } | sha256sum)
stamp=${sum%% *}
if [ "$(cat "$STAMP" 2>/dev/null || true)" = "$stamp" ] && [ -x .venv/bin/python ]; then
    begin 2 'python environment' && ready
    begin 3 'pinned dependencies' && ready
    begin 4 'callwright' && ready
else
    begin 2 'python environment'
    rm -f "$STAMP"
    if ! .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
        rm -rf .venv
        quietly python3 -m venv .venv || fail "python3 -m venv .venv failed; all of it is in $LOG."
    fi
    ready
    begin 3 'pinned dependencies'
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    quietly .venv/bin/python -m pip install --require-hashes -r requirements-dev.lock ||
        quietly .venv/bin/python -m pip install --require-hashes -r requirements-dev.lock ||
        fail "pip could not install requirements-dev.lock; all of it is in $LOG."
    ready installed
    begin 4 'callwright'
    quietly .venv/bin/python -m pip install --no-deps --no-build-isolation -e . ||
        fail "pip could not install the program; all of it is in $LOG."
    printf '%s\n' "$stamp" >"$STAMP"
    ready installed
fi

if [ -n "${CALLWRIGHT_ASTERISK:-}" ] || [ -d .lab/rootfs ]; then
    begin 5 'Asterisk'
else
    begin 5 'Asterisk (a private one is made once; some minutes)'
fi
if ! asterisk=$(.venv/bin/python -m tests.lab.provision 2>&1); then
    fail "$asterisk"
fi
ready "$asterisk"
