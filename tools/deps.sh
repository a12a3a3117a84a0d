#!/bin/sh
# Installs the Debian packages of tools/packages.txt, and those named as arguments, that are missing,
# and says which.
set -eu
wanted=$(sed 's/#.*//' "$(dirname "$0")/packages.txt")
wanted="$wanted $*"
missing=
for package in $wanted; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) || status=none
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
sudo=
if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || {
        echo "not root and no sudo here: as root, run apt-get install$missing" >&2
        exit 1
    }
fi
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
