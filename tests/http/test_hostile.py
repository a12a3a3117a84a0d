"""Broken, lying and awkward audio: over two hundred files made from good ones, and the collection
of bad ones. Each gets its 4xx with the right name, or a true answer where the rest is usable; memory
stays flat and no worker is lost."""

from __future__ import annotations

import os
import random
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from service import IS_SLOW, ROOT, Service, problem, speech, wav, wav_float

SPEECH_DIR = Path(os.environ.get("SPEECH_DIR", ROOT / "../shared/audio"))
UNUSABLE = {"unsupported-audio": 415, "undecodable-audio": 422, "audio-too-short": 422, "audio-too-long": 422, "no-signal": 422,
            "invalid-samples": 422, "unsupported-rate": 422, "too-many-channels": 422, "empty-body": 400}
GOOD = wav(speech(2.0))


def chunk(name: bytes, data: bytes, length: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if length is None else length) + data + b"\0" * (len(data) & 1)


def fmt(tag: int = 1, channels: int = 1, rate: int = 16000, bits: int = 16, align: int | None = None) -> bytes:
    align = channels * bits // 8 % 65536 if align is None else align
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * align % 2**32, align, bits))


def riff(*chunks: bytes, length: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if length is None else length) + body


DATA = GOOD[44:]

# name, bytes, the problem it must be, None for 200; a set where more than one is right.
NAMED: list[tuple[str, bytes, object]] = [
    ("empty", b"", "empty-body"), ("one byte", b"R", "unsupported-audio"), ("text", b"hello world " * 50, "unsupported-audio"),
    ("html", b"<html><body>404</body></html>", "unsupported-audio"), ("json", b'{"a":1}' * 20, "unsupported-audio"),
    ("png", b"\x89PNG\r\n\x1a\n" + bytes(500), "unsupported-audio"), ("zip", b"PK\x03\x04" + bytes(500), "unsupported-audio"),
    ("elf", b"\x7fELF" + bytes(500), "unsupported-audio"), ("gzip", b"\x1f\x8b\x08" + bytes(500), "unsupported-audio"),
    ("m4a", b"\0\0\0\x20ftypM4A " + bytes(500), {"undecodable-audio", "unsupported-audio"}),
    ("webm", b"\x1aE\xdf\xa3" + bytes(500), {"undecodable-audio", "unsupported-audio"}),
    ("zeros", bytes(5000), "unsupported-audio"), ("ones", b"\xff" * 5000, {"unsupported-audio", "undecodable-audio"}),
    ("avi", b"RIFF" + struct.pack("<I", 500) + b"AVI " + bytes(500), "unsupported-audio"),
    ("riff only", b"RIFF", {"unsupported-audio", "undecodable-audio"}), ("riff wave", GOOD[:12], {"undecodable-audio", "unsupported-audio"}),
    ("no fmt", riff(chunk(b"data", DATA)), {"undecodable-audio", "unsupported-audio"}),
    ("no data", riff(fmt()), "undecodable-audio"), ("header only", GOOD[:44], "undecodable-audio"),
    ("data length 0", riff(fmt(), chunk(b"data", DATA, 0)), None), ("streamed", riff(fmt(), chunk(b"data", DATA, 2**32 - 1), length=2**32 - 1), None),
    ("riff length 0", riff(fmt(), chunk(b"data", DATA), length=0), None), ("data too long", riff(fmt(), chunk(b"data", DATA, len(DATA) * 9)), "undecodable-audio"),
    ("trailing junk", GOOD + os.urandom(999), None),
    ("0 channels", riff(fmt(channels=0, align=2), chunk(b"data", DATA)), {"undecodable-audio", "too-many-channels"}),
    ("9 channels", riff(fmt(channels=9), chunk(b"data", DATA)), "too-many-channels"),
    ("1024 channels", riff(fmt(channels=1024), chunk(b"data", DATA)), {"too-many-channels", "undecodable-audio"}),
    ("65535 channels", riff(fmt(channels=65535), chunk(b"data", DATA)), {"too-many-channels", "undecodable-audio"}),
    ("rate 0", riff(fmt(rate=0), chunk(b"data", DATA)), {"unsupported-rate", "undecodable-audio"}),
    ("rate 1", riff(fmt(rate=1), chunk(b"data", DATA)), "unsupported-rate"), ("rate 7999", riff(fmt(rate=7999), chunk(b"data", DATA)), "unsupported-rate"),
    ("rate 192001", riff(fmt(rate=192001), chunk(b"data", DATA)), "unsupported-rate"),
    ("2 GHz", riff(fmt(rate=2_000_000_000), chunk(b"data", DATA)), "unsupported-rate"),
    ("rate 2^32-1", riff(fmt(rate=2**32 - 1), chunk(b"data", DATA)), {"unsupported-rate", "undecodable-audio"}),
    ("NaN", wav_float(np.where(np.arange(16000) == 777, np.nan, speech(1.0))), "invalid-samples"),
    ("infinity", wav_float(np.where(np.arange(16000) == 15999, np.inf, speech(1.0))), "invalid-samples"),
    ("huge floats", wav_float(speech(1.0) * 1e30), {None, "invalid-samples", "undecodable-audio"}),
    ("denormals", wav_float(np.full(16000, 1e-40)), "no-signal"), ("silence", wav(np.zeros(16000)), "no-signal"),
    ("DC alone", wav(np.full(16000, 0.5)), {None, "no-signal"}), ("one sample", wav(np.full(1, 0.5)), "audio-too-short"),
    ("100 ms", wav(speech(0.1)), "audio-too-short"), ("61 s", wav(speech(61)), "audio-too-long"),
    ("61 s of 8 kHz", wav(speech(61, rate=8000), 8000), "audio-too-long"),
    ("IMA ADPCM", riff(fmt(tag=0x11, bits=4, align=256), chunk(b"data", DATA)), "undecodable-audio"),
    ("MS ADPCM", riff(fmt(tag=2, bits=4, align=256), chunk(b"data", DATA)), "undecodable-audio"),
    ("GSM", riff(fmt(tag=0x31, bits=0, align=65), chunk(b"data", DATA)), "undecodable-audio"),
    ("MP3 in WAV", riff(fmt(tag=0x55, bits=0, align=1), chunk(b"data", DATA)), "undecodable-audio"),
    ("unknown tag", riff(fmt(tag=0xBEEF), chunk(b"data", DATA)), "unsupported-audio"),
    ("0 bits", riff(fmt(bits=0, align=2), chunk(b"data", DATA)), {"undecodable-audio", "unsupported-audio"}),
    ("7 bits", riff(fmt(bits=7, align=1), chunk(b"data", DATA)), {None, "undecodable-audio", "unsupported-audio"}),
    ("64 bit int", riff(fmt(bits=64), chunk(b"data", DATA)), {"undecodable-audio", "unsupported-audio"}),
    ("junk chunks", riff(*[chunk(b"JUNK", bytes(64))] * 500, fmt(), chunk(b"data", DATA)), None),
    ("a chunk of 4 GiB", riff(chunk(b"JUNK", b"", 2**32 - 1), fmt(), chunk(b"data", DATA)), {"undecodable-audio", "unsupported-audio"}),
    ("nested lists", riff(fmt(), chunk(b"LIST", chunk(b"LIST", chunk(b"LIST", bytes(40)))), chunk(b"data", DATA)), None),
    ("two fmt", riff(fmt(), fmt(rate=8000), chunk(b"data", DATA)), {None, "undecodable-audio"}),
    ("two data", riff(fmt(), chunk(b"data", DATA), chunk(b"data", DATA)), {None, "undecodable-audio"}),
    ("fmt of 4 bytes", riff(chunk(b"fmt ", b"\1\0\1\0"), chunk(b"data", DATA)), {"undecodable-audio", "unsupported-audio"}),
    ("flac magic", b"fLaC" + bytes(100), "undecodable-audio"), ("ogg magic", b"OggS" + bytes(100), {"undecodable-audio", "unsupported-audio"}),
    ("aiff magic", b"FORM\0\0\0\x64AIFF" + bytes(100), {"undecodable-audio", "unsupported-audio"}),
    ("au magic", b".snd" + bytes(100), {"undecodable-audio", "unsupported-audio"}), ("caf magic", b"caff\0\1\0\0" + bytes(100), {"undecodable-audio", "unsupported-audio"}),
    ("w64 magic", b"riff" + bytes(200), {"undecodable-audio", "unsupported-audio"}), ("rf64 magic", b"RF64" + bytes(200), {"undecodable-audio", "unsupported-audio"}),
    ("id3", b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(100), {"undecodable-audio", "unsupported-audio"}),
    ("mp3 sync", b"\xff\xfb\x90\x00" + bytes(300), {"undecodable-audio", "unsupported-audio", "audio-too-short"}),
    ("huge flac", b"fLaC\x80\0\0\x22" + b"\x10\0\x10\0" + bytes(6) + b"\x03\xe8\x00\xff\xff\xff\xff\xff" + bytes(100), "undecodable-audio"),
]


def check(service: Service, name: str, body: bytes, expected: object, tally: Counter) -> None:
    response = service.embed(body)
    got = None if response.status_code == 200 else problem(response)
    allowed = expected if isinstance(expected, set) else {expected}
    assert got in allowed, f"{name}: {got} instead of {allowed}: {response.text[:300]}"
    if got is not None:
        assert response.status_code == UNUSABLE[got], name
    tally[str(got)] += 1


@pytest.fixture(scope="module")
def target():
    with Service(workers=2, queue_size=16) as running:
        yield running


@pytest.mark.parametrize("name,body,expected", NAMED, ids=[name for name, _, _ in NAMED])
def test_named(target: Service, name: str, body: bytes, expected: object) -> None:
    check(target, name, body, expected, Counter())


def seeds() -> dict[str, bytes]:
    """Good files to break: of every container where the collection is at hand, else WAVs."""
    found = {"wav": GOOD, "wav-float": wav_float(speech(2.0)), "wav-8k": wav(speech(2.0, rate=8000), 8000)}
    formats = SPEECH_DIR / "formats"
    if formats.is_dir():
        for name in ("flac-16bit-16k.flac", "ogg-vorbis-16k.ogg", "ogg-opus-24kbps.opus", "mp3-64k-16k.mp3", "aiff-pcm16-16k.aiff",
                     "au-mulaw-8k.au", "caf-pcm16-16k.caf", "w64-pcm16-16k.w64", "rf64-pcm16-16k.wav", "wav-pcm24-16k.wav"):
            found[name] = (formats / name).read_bytes()
    elif os.environ.get("RECORDINGS") == "required":
        pytest.fail(f"{formats} is missing")
    return found


def broken(good: bytes, rng: random.Random, n: int) -> list[bytes]:
    """Cut, flipped, repeated, shuffled, zeroed; headers more often than samples."""
    made = [good[:cut] for cut in (1, 4, 11, 13, 20, 43, 45, 80, len(good) // 3, len(good) - 1)]
    while len(made) < n:
        body = bytearray(good)
        for _ in range(rng.choice((1, 3, 20))):
            at = rng.randrange(len(body)) if rng.random() < 0.3 else rng.randrange(min(100, len(body)))
            match rng.randrange(5):
                case 0:
                    body[at] ^= 1 << rng.randrange(8)
                case 1:
                    body[at:at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80"))
                case 2:
                    body[at:at + 200] = b""
                case 3:
                    body[at:at] = body[:at][-300:]
                case 4:
                    body[at:at + 16] = rng.randbytes(16)
        made.append(bytes(body))
    return made


def test_made_from_good_ones(target: Service) -> None:
    rng, tally, n = random.Random(4711), Counter(), 0
    everything: set[object] = {None, *UNUSABLE}
    for name, good in seeds().items():
        for i, body in enumerate(broken(good, rng, 24 if not IS_SLOW else 14)):
            check(target, f"{name} {i}", body, everything, tally)
            n += 1
        if n > 120 and "memory" not in locals():
            memory = target.resident_bytes()
    assert n + len(NAMED) >= 130
    if (SPEECH_DIR / "formats").is_dir() and not IS_SLOW:
        assert n >= 200
        assert target.resident_bytes() <= memory * 1.1 + (4 << 20)
    assert tally["undecodable-audio"] > 20 and tally["unsupported-audio"] > 10, tally
    assert target.embed(GOOD).status_code == 200
    assert target.metric("voiceprintd_workers_busy") == 0


# What the bad ones must be called; a usable one is None.
BAD = {"bit-flipped.flac": {None, "undecodable-audio"}, "clipped.wav": {None}, "cut-in-header.wav": {"undecodable-audio", "unsupported-audio"},
       "dc-offset.wav": {None}, "empty.wav": {"empty-body"}, "header-only.wav": {"undecodable-audio"}, "mp3-named-wav.wav": {None},
       "nan-inf-float.wav": {"invalid-samples"}, "short-100ms.wav": {"audio-too-short"}, "short-10ms.wav": {"audio-too-short"},
       "silence-1s.wav": {"no-signal"}, "text.wav": {"unsupported-audio"}, "truncated-data.wav": {None, "undecodable-audio"},
       "truncated.flac": {"undecodable-audio"}}


def test_collection_of_bad_files(target: Service) -> None:
    folder = SPEECH_DIR / "formats/bad"
    if not folder.is_dir():
        if os.environ.get("RECORDINGS") == "required":
            pytest.fail(f"{folder} is missing")
        pytest.skip(f"left out: no {folder}")
    files = sorted(folder.iterdir())
    assert {file.name for file in files} <= set(BAD)
    for file in files:
        check(target, file.name, file.read_bytes(), BAD[file.name], Counter())


def test_collection_of_formats(target: Service) -> None:
    """What is on the list is embedded, the rest refused by name."""
    folder = SPEECH_DIR / "formats"
    if not folder.is_dir():
        pytest.skip(f"left out: no {folder}")
    refused = ("nist", "raw-")
    for file in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".csv"):
        response = target.embed(file.read_bytes())
        if file.name.startswith(refused):
            assert (response.status_code, problem(response)) == (415, "unsupported-audio"), file.name
        else:
            assert response.status_code == 200, (file.name, response.text)
