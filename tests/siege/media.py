"""Matroska, MP4, ASF and others by hand: headers and packets that ask for much."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import ogg
from service import wav


@cache
def recording(options: str, seconds: float = 2.0) -> bytes:
    """A tone that wanders, coded by ffmpeg with these output options."""
    time_s = np.arange(int(16000 * seconds)) / 16000
    given = wav(0.3 * np.sin(2 * np.pi * (200 + 40 * np.sin(time_s)) * time_s))
    with TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", "-", *options.split(), made], input=given, check=True, timeout=60)
        return made.read_bytes()


# ---- Matroska -------------------------------------------------------------------------------------


def element(name: int, body: bytes) -> bytes:
    """EBML: a name of one to four bytes, a length of eight, the body."""
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + (1 << 56 | len(body)).to_bytes(8, "big") + body


def short_element(name: int, body: bytes) -> bytes:
    """The same with a length of one byte."""
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + bytes([0x80 | len(body)]) + body


EBML, SEGMENT, CLUSTER, TAGS, TAG, SIMPLE_TAG, TAG_NAME, TAG_STRING = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487
ATTACHMENTS, TRACKS, SIMPLE_BLOCK = 0x1941A469, 0x1654AE6B, 0xA3


def with_element(extra: bytes, options: str = "-c:a libopus -f matroska") -> bytes:
    """A recording with an element more at the start of its segment, whose length is then unknown."""
    file = recording(options)
    at = file.index(SEGMENT.to_bytes(4, "big")) + 4
    return file[:at] + b"\x01" + b"\xff" * 7 + extra + file[at + 8 :]


def tags(n: int) -> bytes:
    """n tags, each with a name of its own."""
    return element(TAGS, b"".join(short_element(TAG, short_element(SIMPLE_TAG, short_element(TAG_NAME, b"%06x" % i) + short_element(TAG_STRING, b"x"))) for i in range(n)))


def blocks(track: int, body: bytes, options: str = "-c:a libopus -f matroska") -> bytes:
    """A recording, and behind it a cluster of blocks of one kind, as many as an upload holds."""
    block = short_element(SIMPLE_BLOCK, bytes([0x80 | track]) + b"\0\0\x80" + body)
    return with_element(b"", options) + element(CLUSTER, short_element(0xE7, b"\0") + block * (UPLOAD // len(block)))


# ---- MP4 ------------------------------------------------------------------------------------------


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def with_boxes(extra: bytes, options: str = "-c:a aac -f mp4") -> bytes:
    """A recording, header behind, with boxes more at the end of the header."""
    file = recording(options)
    at = file.index(b"moov") - 4
    (n,) = struct.unpack(">I", file[at : at + 4])
    return file[:at] + struct.pack(">I", n + len(extra)) + file[at + 4 : at + n] + extra + file[at + n :]


def itunes_tags(n: int) -> bytes:
    tag = [box(b"----", box(b"mean", b"\0\0\0\0a") + box(b"name", b"\0\0\0\0%06x" % i) + box(b"data", b"\0\0\0\1\0\0\0\0x")) for i in range(n)]
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    return box(b"udta", box(b"meta", bytes(4) + handler + box(b"ilst", b"".join(tag))))


# ---- ASF ------------------------------------------------------------------------------------------

DESCRIPTIONS = bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850")


def with_descriptions(n_objects: int) -> bytes:
    """A WMA whose header holds objects of 20000 descriptions, each with a name of its own."""
    file = recording("-c:a wmav2 -f asf")
    (n_header,) = struct.unpack("<Q", file[16:24])
    extra, n = [], 0
    for _ in range(n_objects):
        rows = []
        for _ in range(20000):
            name = f"{n:x}".encode("utf-16-le") + b"\0\0"
            rows.append(struct.pack("<H", len(name)) + name + struct.pack("<HH", 3, 4) + b"\1\0\0\0")
            n += 1
        body = struct.pack("<H", len(rows)) + b"".join(rows)
        extra.append(DESCRIPTIONS + struct.pack("<Q", 24 + len(body)) + body)
    more = b"".join(extra)
    return file[:16] + struct.pack("<Q", n_header + len(more)) + file[24:n_header] + more + file[n_header:]


# ---- Ogg ------------------------------------------------------------------------------------------


def comments(n: int) -> bytes:
    """A packet of comments as Speex has it, each with a name of its own."""
    return struct.pack("<II", 0, n) + b"".join(struct.pack("<I", 8) + b"%06x=x" % i for i in range(n))


def speex(packets: list[bytes], broken: bool = False) -> bytes:
    """A recording with these packets in place of its comments; broken: another one behind them, that does not go on."""
    file, parts, at = recording("-c:a libspeex -f ogg"), [], 0
    while at < len(file):
        lengths = file[at + 27 : at + 27 + file[at + 26]]
        end = at + 27 + len(lengths) + sum(lengths)
        parts.append((lengths, file[at + 27 + len(lengths) : end], file[at + 5], *struct.unpack("<q", file[at + 6 : at + 14])))
        at = end
    (serial,) = struct.unpack("<I", file[14:18])
    out = [ogg.raw_page(*parts[0][:2], 0, 2, 0, serial)] + ogg.pages(packets, 1, serial)
    out += [ogg.raw_page(b"\xff", bytes(255), len(out), 0, 0, serial)] if broken else []
    for lengths, body, flags, granule in parts[2:]:
        out.append(ogg.raw_page(lengths, body, len(out), flags, granule, serial))
    return b"".join(out)


def speex_chain(n: int) -> bytes:
    return speex([comments(1024)]) * n


# What each is, how it is made, and the answers to /embed and to /diarize: a problem, none, or whichever the machine's speed gives.
UPLOAD = 15 << 20
REFUSED = "undecodable-audio"
BOMBS: list[tuple[str, Callable[[], bytes], str | None, str | None]] = [
    ("three thousand Matroska tags", lambda: with_element(tags(3000)), REFUSED, REFUSED),
    ("empty Matroska tags", lambda: with_element(element(TAGS, b"\x73\x73\x80" * (UPLOAD // 3))), REFUSED, REFUSED),
    ("a million Matroska tags of no known end", lambda: with_element(b"\x12\x54\xc3\x67\xff" + tags(UPLOAD // 32)[12:]), REFUSED, REFUSED),
    ("as many Matroska tags as are let through", lambda: with_element(tags(250)), "", ""),
    ("Matroska tracks", lambda: with_element(element(TRACKS, b"\xae\x80" * (UPLOAD // 2))), None, None),
    ("Matroska attachments", lambda: with_element(element(ATTACHMENTS, b"\x61\xa7\x80" * (UPLOAD // 3))), None, None),
    ("lists in Matroska lists", lambda: with_element(element(TRACKS, element(0xAE, element(0x6D80, b"\x62\x40\x80" * (UPLOAD // 24))) * 2)), None, None),
    ("empty Matroska blocks", lambda: blocks(1, b""), REFUSED, REFUSED),
    ("Matroska blocks of another track", lambda: blocks(2, b"x"), None, None),
    ("Opus packets that are no audio", lambda: blocks(1, b"\xff"), REFUSED, REFUSED),
    ("FLAC packets without a frame", lambda: blocks(1, b"x", "-c:a flac -f matroska"), REFUSED, REFUSED),
    ("MP4 tags", lambda: with_boxes(itunes_tags(UPLOAD // 72)), None, None),
    ("empty MP4 boxes", lambda: with_boxes(box(b"free", b"") * (UPLOAD // 8)), None, None),
    ("ASF descriptions", lambda: with_descriptions(30), None, None),
    ("Speex comments", lambda: speex([comments(80_000)]), REFUSED, REFUSED),
    ("as many Speex comments as are let through", lambda: speex([comments(1024)]), "", ""),
    ("Speex comments in each link of a chain", lambda: speex_chain(25), None, None),
    ("what is no frame behind ADTS frames", lambda: recording("-c:a aac -f adts") + b"\x55" * UPLOAD, None, None),
    ("zeros behind ADPCM", lambda: recording("-c:a adpcm_ima_wav -f wav") + bytes(UPLOAD), None, None),
]
