"""A FLAC file by hand: a minute of sound in some three hundred bytes, as constant subframes."""

from __future__ import annotations

import struct

BLOCK = 60_000  # samples of a frame


def crc(data: bytes, polynomial: int, width: int) -> int:
    value, top = 0, 1 << (width - 1)
    for byte in data:
        value ^= byte << (width - 8)
        for _ in range(8):
            value = ((value << 1) ^ polynomial if value & top else value << 1) & ((1 << width) - 1)
    return value


def frame(number: int, sample: int) -> bytes:
    """One frame of BLOCK equal samples, 16 bit mono at 16 kHz."""
    head = bytes([0xFF, 0xF8, 0x75, 0x08, number]) + struct.pack(">H", BLOCK - 1)
    body = head + bytes([crc(head, 0x07, 8)]) + b"\0" + struct.pack(">h", sample)
    return body + struct.pack(">H", crc(body, 0x8005, 16))


def minutes_of_nothing(n_frames: int = 16, level: int = 3000) -> bytes:
    """n_frames x 3.75 s, now above and now below zero, so that it does not pass for silence."""
    facts = 16000 << 44 | 0 << 41 | 15 << 36 | n_frames * BLOCK
    info = struct.pack(">HH", BLOCK, BLOCK) + bytes(6) + facts.to_bytes(8, "big") + bytes(16)
    frames = b"".join(frame(i, level if i % 2 else -level) for i in range(n_frames))
    return b"fLaC\x80" + len(info).to_bytes(3, "big") + info + frames


def wide_frame(number: int, subframes: bytes) -> bytes:
    """One frame of 65535 samples, 16 bit, 8 channels at 192 kHz."""
    head = bytes([0xFF, 0xF8, 0x73, 0x78]) + chr(number).encode() + struct.pack(">H", 65534)
    body = head + bytes([crc(head, 0x07, 8)]) + subframes
    return body + struct.pack(">H", crc(body, 0x8005, 16))


def wide(n_frames: int, level: int = 3000) -> bytes:
    """n_frames x 0.34 s of eight channels at 192 kHz, in 36 bytes each."""
    facts = 192000 << 44 | 7 << 41 | 15 << 36 | n_frames * 65535
    info = struct.pack(">HH", 65535, 65535) + bytes(6) + facts.to_bytes(8, "big") + bytes(16)
    frames = b"".join(wide_frame(i, (b"\0" + struct.pack(">h", level if i % 2 else -level)) * 8) for i in range(n_frames))
    return b"fLaC\x80" + len(info).to_bytes(3, "big") + info + frames
