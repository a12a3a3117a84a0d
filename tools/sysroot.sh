#!/bin/sh
# Unpacks Debian's arm64 libraries, those of tools/packages.txt, into a folder to cross-compile and to
# run qemu-user against: sysroot.sh FOLDER. apt works in that folder alone, so the system gets neither
# a second architecture nor a package, and nobody need be root.
set -eu
cd "$(dirname "$0")/.."
root=$(realpath -m "${1:?usage: sysroot.sh FOLDER}")
apt=$root/var/apt
rm -rf "$root"
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$root/usr/lib"
: > "$apt/status"
ln -s usr/lib "$root/lib" # Debian 12: /lib is /usr/lib

options="-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists=$apt/lists
    -o Dir::State::status=$apt/status -o Dir::Cache=$apt -o APT::Sandbox::User=$(id -un)
    -o Debug::NoLocking=true"
named() { sed 's/#.*//' | tr -s ' \n' '\n' | grep -e '-dev$'; }
libraries=$(sed '/^# ffmpeg/,/^$/d' tools/packages.txt | named)
headers=$(sed -n '/^# ffmpeg/,/^$/p' tools/packages.txt | named) # loaded, not linked
# shellcheck disable=SC2086 # lists of words
apt-get $options update -q
# shellcheck disable=SC2086
apt-get $options install -q -y --no-install-recommends --download-only libc6-dev $libraries
# shellcheck disable=SC2086
(cd "$apt/archives" && apt-get $options download -q $headers)
# With what dpkg-shlibdeps asks of an installed package: its files where they lie, its symbols, that it
# is there.
info=$root/var/lib/dpkg/info
mkdir -p "$info"
echo 1 > "$info/format" # names of files with the architecture
for package in "$apt"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --exclude=./usr/share --keep-directory-symlink
    name=$(dpkg-deb --field "$package" Package)
    dpkg-deb --fsys-tarfile "$package" | tar -t |
        sed "s,^\./lib/,./usr/lib/,; s,^\.,$root,; s,/\$,," > "$info/$name:arm64.list"
    for kind in shlibs symbols; do
        dpkg-deb --ctrl-tarfile "$package" | tar -xO "./$kind" > "$info/$name:arm64.$kind" 2> /dev/null ||
            rm "$info/$name:arm64.$kind"
    done
    {
        dpkg-deb --field "$package"
        printf 'Status: install ok installed\n\n'
    } >> "$info/../status"
done
rm -rf "$apt/archives"

# What the package's own scripts would do: the names of OpenBLAS's alternatives.
lib=$root/usr/lib/aarch64-linux-gnu
for name in libopenblas.so libopenblas.so.0; do
    ln -sf openblas-pthread/$name "$lib/$name"
done
# Links to absolute places point into the sysroot.
find "$root" -type l -lname '/*' | while read -r link; do
    ln -sfr "$root$(readlink "$link")" "$link"
done
