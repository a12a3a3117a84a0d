#!/bin/sh
# Packs `make install` as build/voiceprintd_VERSION_ARCH.deb, for ARCH=arm64 what the cross compiler
# built, against the libraries in SYSROOT. Dependencies come from the libraries
# that the programs are linked with; no maintainer scripts: the unit brings its own user (DynamicUser)
# and starts when the administrator says so.
set -eu
cd "$(dirname "$0")/.."
native=$(dpkg --print-architecture)
arch=${ARCH:-$native}
installed= # where dpkg-shlibdeps looks for libraries and their packages
if [ "$arch" != "$native" ]; then
    export DEB_HOST_ARCH="$arch"
    installed="--admindir=$SYSROOT/var/lib/dpkg -l$SYSROOT/usr/lib/$(dpkg-architecture -a "$arch" -q DEB_HOST_MULTIARCH)"
fi
# A Debian version begins with a digit: v1.2 -> 1.2; a bare commit sorts before every release.
case ${VERSION:=unknown} in
    v[0-9]*) version=${VERSION#v} ;;
    *) version=0~$VERSION ;;
esac
version=$(echo "$version" | tr - +)
maintainer="${DEBFULLNAME:-The voiceprintd authors} <${DEBEMAIL:-voiceprintd@localhost}>"
stage=build/deb
root=$stage/root
rm -rf $stage
mkdir -p $root/DEBIAN $stage/debian

make --no-print-directory install ARCH="${ARCH:-}" DESTDIR=$root PREFIX=/usr STRIP=-s
# Debian 12 keeps units here.
mkdir -p $root/lib
mv $root/usr/lib/systemd $root/lib/systemd
rmdir $root/usr/lib
gzip -9n $root/usr/share/man/man*/*
doc=$root/usr/share/doc/voiceprintd
mkdir -p $doc
{
    echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
    echo
    echo "Files: *"
    echo "Copyright: $(date +%Y) the voiceprintd authors"
    echo "License: Apache-2.0"
    echo " On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0."
    [ ! -e build/swagger-ui/swagger-ui-bundle.js ] || {
        echo
        echo "Files: usr/bin/voiceprintd"
        echo "Comment: carries Swagger UI, which draws the page /docs"
        echo "Copyright: $(date +%Y) the voiceprintd authors"
        echo " SmartBear Software Inc."
        echo "License: Apache-2.0"
    }
} > $doc/copyright
{
    echo "voiceprintd ($version) unstable; urgency=medium"
    echo
    echo "  * Built from $VERSION."
    echo
    echo " -- $maintainer  $(date -R)"
} | gzip -9n > $doc/changelog.gz

# dpkg-shlibdeps wants a source package around it.
printf 'Source: voiceprintd\n\nPackage: voiceprintd\nArchitecture: any\n' > $stage/debian/control
# Loaded when a recording needs it (core/audio/ffmpeg_library.h), so no dependency by linkage.
recommends=libavformat$(pkg-config --modversion libavformat | cut -d. -f1)
# shellcheck disable=SC2086 # two options or none
shlibs=$(cd $stage && dpkg-shlibdeps $installed -O root/usr/bin/*)
depends=$(echo "$shlibs" | sed -n 's/^shlibs:Depends=//p')
cat > $root/DEBIAN/control <<END
Package: voiceprintd
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -k -s $root | cut -f1)
Depends: $depends
Recommends: $recommends
Section: sound
Priority: optional
Description: speaker embeddings and voice comparison by HTTP
 voiceprintd turns recordings of voices into speaker embeddings and says whether
 two recordings are the same voice, as an HTTP service and on the command line.
END
(cd $root && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum > DEBIAN/md5sums)
# Weights hardly compress; xz would take a minute over them for nothing.
dpkg-deb --root-owner-group -Zgzip -z1 --build $root build >/dev/null
echo "build/voiceprintd_${version}_$arch.deb"
