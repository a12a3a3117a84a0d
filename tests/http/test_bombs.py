"""Small files that ask for much, files in several pieces, and clients that try to outgrow the service:
answered at once, by the right name, with memory as flat as before."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import ogg
import pytest
from service import IS_SLOW, SLOWNESS, Service, problem, voice

NO_SOUND = ogg.page([b"OpusTags" + bytes(8)], 1)


def opus_head(channels: int, streams: int) -> bytes:
    return b"OpusHead\1" + bytes([channels]) + struct.pack("<HIhB", 0, 16000, 0, 255) + bytes([streams, 0]) + bytes(range(channels))


def flac(blocks: bytes) -> bytes:
    """STREAMINFO of 16 kHz mono with blocks of 65535 samples, then other metadata."""
    info = struct.pack(">HH6xQ16x", 65535, 65535, 16000 << 44 | 15 << 36)
    return b"fLaC\0\0\0\x22" + info + blocks


def comment_count(n: int) -> bytes:
    return flac(b"\x84\0\0\x08" + struct.pack("<II", 0, n))


BOMBS = [
    # libvorbis would put 8 bytes for each entry on the stack, and more than 20 on the heap
    ("one book of 2^20 entries", ogg.vorbis_file(ogg.vorbis_setup(1, 20)), "undecodable-audio"),
    ("one book of 2^23 entries", ogg.vorbis_file(ogg.vorbis_setup(1, 23)), "undecodable-audio"),
    ("256 books of 2^22 entries", ogg.vorbis_file(ogg.vorbis_setup(256, 22)), "undecodable-audio"),
    ("256 books of 2^16 entries", ogg.vorbis_file(ogg.vorbis_setup(256, 16)), "undecodable-audio"),
    ("as much as is let through", ogg.vorbis_file(ogg.vorbis_setup(4, 16)), "audio-too-short"),
    ("a bomb behind junk", ogg.page([ogg.IDENTIFICATION], 0, 2 | 4) + b"junk" + ogg.vorbis_file(ogg.vorbis_setup(1, 22)), "undecodable-audio"),
    ("a bomb behind a gap", ogg.page([ogg.IDENTIFICATION], 0, 2) + ogg.page([ogg.COMMENT, ogg.vorbis_setup(1, 22)], 5), "undecodable-audio"),
    ("a bomb in pieces", ogg.page([ogg.IDENTIFICATION], 0, 2) + ogg.page([ogg.COMMENT, ogg.vorbis_setup(30, 22)[:255]], 1, unfinished=True)
     + ogg.page([ogg.vorbis_setup(30, 22)[255:]], 2, 1), "undecodable-audio"),
    ("a setup without an end", ogg.page([ogg.IDENTIFICATION], 0, 2) + ogg.page([ogg.COMMENT], 1)
     + b"".join(ogg.page([bytes(65025)], i, i > 2, unfinished=True) for i in range(2, 9)), "undecodable-audio"),
    ("one stream", ogg.vorbis_file(ogg.vorbis_setup(1, 4)), "audio-too-short"),
    ("one stream after another", 2 * ogg.vorbis_file(ogg.vorbis_setup(1, 4)), "undecodable-audio"),
    ("one stream beside another", ogg.vorbis_file(ogg.vorbis_setup(1, 4)) + ogg.page([b"\0"], 0, 2, serial=2), "unsupported-audio"),
    ("no comment", ogg.page([ogg.IDENTIFICATION], 0, 2) + ogg.page([ogg.vorbis_setup(1, 4)] * 2, 1) + ogg.page([b"\0"], 2, 4), "undecodable-audio"),
    ("two packets in the first page", ogg.page([ogg.IDENTIFICATION, ogg.COMMENT], 0, 2) + ogg.page([ogg.vorbis_setup(1, 4)], 1), "undecodable-audio"),
    ("a version that is none", ogg.page([ogg.IDENTIFICATION.replace(b"vorbis\0", b"vorbis\1")], 0, 2)
     + ogg.page([ogg.COMMENT, ogg.vorbis_setup(1, 4)], 1), "undecodable-audio"),
    ("Opus of 255 channels", ogg.page([opus_head(255, 255)], 0, 2) + NO_SOUND + ogg.page([b"\xf8"] * 200, 2, 4, 192000), "too-many-channels"),
    ("2^32 - 1 Opus tags", ogg.page([opus_head(1, 1)], 0, 2) + ogg.page([b"OpusTags" + bytes(4) + b"\xff\xff\xff\xff"], 1), "undecodable-audio"),
    ("2^32 - 1 FLAC comments", comment_count(2**32 - 1), "undecodable-audio"),
    ("2^24 FLAC comments", comment_count(2**24), "undecodable-audio"),
    ("a million FLAC blocks", flac(b"\1\0\0\0" * 1_000_000 + b"\x81\0\0\0"), "undecodable-audio"),
    ("a million WAV chunks", b"RIFF\xff\xff\xff\xffWAVE" + b"JUNK\0\0\0\0" * 1_000_000, "undecodable-audio"),
    ("a million AIFF chunks", b"FORM\x7f\xff\xff\xffAIFF" + b"NAME\0\0\0\0" * 1_000_000, "undecodable-audio"),
    ("a million CAF chunks", b"caff\0\1\0\0" + b"free\0\0\0\0\0\0\0\0" * 1_000_000, "undecodable-audio"),
    ("a million MP3 syncs", b"\xff\xfb\x90\x00" * 1_000_000, "unsupported-audio"),
    ("a million ID3 tags", b"ID3\4\0\0\0\0\0\0" * 1_000_000, "unsupported-audio"),
]


@pytest.fixture(scope="module")
def target():
    with Service(workers=1) as running:
        running.embed(voice())
        running.post("/embed", data=2 * ogg.vorbis_file(ogg.vorbis_setup(1, 4)))  # FFmpeg's libraries are loaded when first wanted
        yield running


@pytest.mark.parametrize("body,name", [bomb[1:] for bomb in BOMBS], ids=[bomb[0] for bomb in BOMBS])
def test_bombs(target: Service, body: bytes, name: str) -> None:
    memory, start = target.resident_bytes(), time.monotonic()
    response = target.post("/embed", data=body)
    assert problem(response) == name, response.text
    assert time.monotonic() - start < 5 * SLOWNESS
    line = target.log_line(response.headers["X-Request-Id"])
    assert line["decode_ms"] < 1000 * SLOWNESS  # some 20 on a quiet machine
    # The peak, not what is left: the largest resident size since the last bomb.
    with open(f"/proc/{target.process.pid}/status", encoding="ascii") as status:
        peak = next(int(row.split()[1]) << 10 for row in status if row.startswith("VmHWM"))
    Path(f"/proc/{target.process.pid}/clear_refs").write_text("5", encoding="ascii")
    assert IS_SLOW or peak < memory + 2 * len(body) + (16 << 20), (memory, peak)


def formats() -> Path:
    return Path(os.environ.get("SPEECH_DIR", "")) / "formats"


@pytest.mark.skipif(not formats().is_dir() and os.environ.get("RECORDINGS") != "required", reason="left out: no collection of formats")
@pytest.mark.parametrize("first,second,name", [
    ("ogg-vorbis-16k.ogg", "ogg-vorbis-44k.ogg", "undecodable-audio"), ("ogg-vorbis-16k.ogg", "ogg-opus-24kbps.opus", "unsupported-audio"),
    ("ogg-opus-24kbps.opus", "ogg-vorbis-44k.ogg", "unsupported-audio"), ("mp3-64k-16k.mp3", "mp3-128k-44k.mp3", "undecodable-audio"),
    ("flac-16bit-16k.flac", "flac-16bit-16k.flac", "undecodable-audio")])
def test_joined_files_are_not_embedded_in_part(target: Service, first: str, second: str, name: str) -> None:
    """The decoders read the first piece only, or change their rate in the middle."""
    response = target.post("/embed", data=(formats() / first).read_bytes() + (formats() / second).read_bytes())
    assert problem(response) == name, response.text


@pytest.mark.skipif(not formats().is_dir() and os.environ.get("RECORDINGS") != "required", reason="left out: no collection of formats")
def test_a_chained_ogg_is_embedded_whole(target: Service) -> None:
    piece = (formats() / "ogg-vorbis-16k.ogg").read_bytes()
    alone_s = target.post("/embed", data=piece).json()["audio"]["used_s"]
    response = target.post("/embed", data=2 * piece)
    assert response.status_code == 200, response.text
    assert abs(response.json()["audio"]["used_s"] - 2 * alone_s) < 0.1
