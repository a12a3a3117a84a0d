#!/bin/sh
# Makes the seeds of fuzz_audio that libavformat reads, mp3.mp3 and 16.flac, by ffmpeg, a fifth of a second each.
set -eu
cd "$(dirname "$0")/seeds/fuzz_audio"
make() { # name, ffmpeg's output options
    name=$1
    shift
    ffmpeg -v error -nostdin -y -f lavfi -i 'sine=f=220:r=8000:d=0.2' -map_metadata -1 -fflags +bitexact \
        -flags:a +bitexact "$@" "$name"
}
make aac.m4a -c:a aac -b:a 16k
make alac.m4a -c:a alac
make fragments.mp4 -c:a aac -b:a 16k -movflags frag_keyframe+empty_moov+default_base_moof
make pcm.mov -c:a pcm_s16be
make opus.webm -c:a libopus -b:a 8k
make vorbis.mka -c:a libvorbis -q:a 0
make aac.aac -c:a aac -b:a 16k
make wma.wma -c:a wmav2 -b:a 24k
make alac.caf -c:a alac
make ima.wav -c:a adpcm_ima_wav
make ms.wav -c:a adpcm_ms
make gsm.wav -c:a libgsm_ms
make mp3.wav -c:a libmp3lame -b:a 8k
make mp3.mp3 -c:a libmp3lame -b:a 8k -write_xing 0 -id3v2_version 0
make flac.ogg -c:a flac
make speex.ogg -c:a libspeex
make 16.flac -c:a flac
