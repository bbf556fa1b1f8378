#!/usr/bin/env bash
# Put Docker's client into a folder, for engines that are elsewhere: that of Debian 13, because
# Docker 29 and later refuse the one of Debian 12 (they want API 1.44, it speaks 1.41).
#
#   docker-client.sh FOLDER
set -euo pipefail
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
cp -r /etc/apt "$temporary/apt"
find "$temporary/apt" \( -name '*.list' -o -name '*.sources' \) -exec sed -i s/bookworm/trixie/g {} +
mkdir -p "$temporary/lists/partial"
apt=(apt-get -qq -o "Dir::Etc=$temporary/apt" -o "Dir::State::lists=$temporary/lists"
  -o APT::Sandbox::User=root) # its own user may not write here
"${apt[@]}" update
(cd "$temporary" && "${apt[@]}" download docker-cli)
dpkg-deb --extract "$temporary"/docker-cli_*.deb "$temporary/package"
install -D --mode 755 "$temporary/package/usr/bin/docker" "$1/docker"
