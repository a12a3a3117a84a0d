#!/bin/bash
# Builds FFmpeg from Debian's source package, for audio alone: ffmpeg.sh FOLDER. Debian's own
# libavformat brings 117 packages along; this one is two libraries and what they are made of, with the
# demuxers and decoders of core/audio/ffmpeg_decoder.c and no protocol. As root, in a stage of an image.
set -eu
prefix=${1:?usage: ffmpeg.sh FOLDER}
demuxers=aac,aiff,amr,asf,caf,matroska,mov,ogg,w64,wav
decoders=aac,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,alac,amrnb,amrwb,flac,gsm_ms,libopus,mp3float,\
pcm_alaw,pcm_f32be,pcm_f32le,pcm_mulaw,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,\
speex,vorbis,wmapro,wmav1,wmav2,wmavoice
parsers=aac,flac,gsm,mpegaudio,opus,vorbis

# The published base image lists its sources in deb822, others in one line each.
for list in /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$list" ] || sed -i 's/^Types: deb$/Types: deb deb-src/' "$list"
done
[ ! -e /etc/apt/sources.list ] ||
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > /etc/apt/sources.list.d/source.list
apt-get update -q
apt-get install -q -y --no-install-recommends dpkg-dev gcc libc6-dev libopus-dev make nasm pkg-config

work=$(mktemp -d)
cd "$work"
chmod 755 . # apt fetches as a user of its own
apt-get source -q ffmpeg
cd ffmpeg-*/
./configure --prefix="$prefix" --disable-everything --disable-autodetect --disable-programs \
    --disable-doc --disable-network --disable-debug --disable-avdevice --disable-avfilter \
    --disable-postproc --disable-swresample --disable-swscale --disable-static --enable-shared \
    --enable-libopus --enable-demuxer="$demuxers" --enable-decoder="$decoders" \
    --enable-parser="$parsers"
make -s -j"$(nproc)"
make -s install
strip --strip-unneeded "$prefix"/lib/lib*.so.*.*.*
# What its licence asks for, and what the bill of materials says.
mkdir -p "$prefix/share/doc/ffmpeg"
cp COPYING.LGPLv2.1 debian/copyright "$prefix/share/doc/ffmpeg"
dpkg-parsechangelog -S Version > "$prefix/share/doc/ffmpeg/version"
rm -rf "$work"
