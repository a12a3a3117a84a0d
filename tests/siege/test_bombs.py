"""Uploads that promise much: whatever they say, little memory is taken, none of it stays, and no turn of a worker is long.

tests/http/test_bombs.py asks /embed with many small ones; these are as large as an upload may be, or cost by the byte."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import flac
import media
import ogg
import pytest
from service import BUILD, IS_SLOW, SLOWNESS, Service, problem, voice

MIB = 1 << 20
UPLOAD = 15 * MIB  # max_body_bytes is 16
MOST_MEMORY = 16 * MIB  # beyond the upload itself
MOST_OF_MEDIA = 96 * MIB  # the same, while libavformat makes lists of what a header says; each ends at 32 MiB, and is copied as it grows
MOST_CPU_S = 0.3 * SLOWNESS  # for the whole answer, the upload of 15 MiB in it
VORBIS_HEADERS = ogg.page([ogg.IDENTIFICATION], 0, 2) + ogg.page([ogg.COMMENT, ogg.vorbis_setup(1, 4)], 1)
OPUS_HEAD = ogg.page([b"OpusHead\1\1" + struct.pack("<HIhB", 0, 48000, 0, 0)], 0, 2)
MP3_FRAME = b"\xff\xfb\x90\xc4" + bytes(413)


def sound(number: int) -> bytes:
    """20 Vorbis packets, a seventh of a second."""
    return ogg.page([b"\0\0\0\0"] * 20, number, 4, 32000)


def vorbis_comments(n: int) -> bytes:
    comment = b"\x03vorbis" + struct.pack("<II", 0, n) + bytes(4 * n) + b"\x01"
    pages = ogg.pages([comment, ogg.vorbis_setup(1, 4)], 1)
    return ogg.page([ogg.IDENTIFICATION], 0, 2) + b"".join(pages) + sound(1 + len(pages))


def opus_tags(n: int) -> bytes:
    pages = ogg.pages([b"OpusTags" + struct.pack("<II", 0, n) + bytes(4 * n)], 1)
    return OPUS_HEAD + b"".join(pages) + ogg.page([b"\xf8\xff\xfe"] * 200, 1 + len(pages), 4, 192000)


def vorbis_of(lengths: bytes, body: bytes, granule: int = 0) -> bytes:
    """As many pages of one kind as an upload holds, between the headers and a little sound."""
    n = UPLOAD // (27 + len(lengths) + len(body))
    return VORBIS_HEADERS + b"".join(ogg.raw_page(lengths, body, 2 + i, 0, granule) for i in range(n)) + sound(2 + n)


def endless_packet() -> bytes:
    n = UPLOAD // 65307
    return VORBIS_HEADERS + b"".join(ogg.raw_page(b"\xff" * 255, bytes(65025), 2 + i, int(i > 0), -1) for i in range(n))


def flac_with(*blocks: tuple[int, bytes]) -> bytes:
    """Metadata between STREAMINFO and a minute of frames."""
    file = flac.minutes_of_nothing()
    others = [bytes([kind | (128 if i + 1 == len(blocks) else 0)]) + len(body).to_bytes(3, "big") + body for i, (kind, body) in enumerate(blocks)]
    return file[:4] + b"\0" + file[5:42] + b"".join(others) + file[42:]


def flac_frames_of_nothing() -> bytes:
    """Frames of 8 x 65535 samples whose last channel is of a kind that does not exist: 36 bytes, megabytes of work."""
    file = flac.wide(20)
    return file[:42 + 36] + flac.wide_frame(1, b"\0\0\0" * 7 + b"\x04\0\0") * (UPLOAD // 36) + file[42 + 36:]


def id3(n_bytes: int) -> bytes:
    return b"ID3\4\0\0" + bytes(n_bytes >> shift & 0x7F for shift in (21, 14, 7, 0)) + bytes(n_bytes)


# What each is, how it is made, and the answers to /embed and to /diarize: a problem, or none.
BOMBS: list[tuple[str, Callable[[], bytes], str, str]] = [
    ("4 million Vorbis comments", lambda: vorbis_comments(UPLOAD // 4), "undecodable-audio", "undecodable-audio"),
    ("a MiB of Vorbis comments", lambda: vorbis_comments((MIB - 100) // 4), "undecodable-audio", "undecodable-audio"),
    ("as many Vorbis comments as are let through", lambda: vorbis_comments(1024), "audio-too-short", ""),
    ("4 million Opus tags", lambda: opus_tags(UPLOAD // 4), "undecodable-audio", "undecodable-audio"),
    ("a MiB of Opus tags", lambda: opus_tags((MIB - 100) // 4), "undecodable-audio", "undecodable-audio"),
    ("as many Opus tags as are let through", lambda: opus_tags(1024), "no-signal", ""),
    ("a Vorbis packet without an end", endless_packet, "undecodable-audio", "undecodable-audio"),
    ("empty Vorbis packets", lambda: vorbis_of(bytes(255), b""), "undecodable-audio", "undecodable-audio"),
    ("Vorbis packets that are no audio", lambda: vorbis_of(b"\1" * 255, b"\1" * 255), "undecodable-audio", "undecodable-audio"),
    ("Ogg pages without packets", lambda: vorbis_of(b"", b""), "undecodable-audio", "undecodable-audio"),
    ("a FLAC picture", lambda: flac_with((6, struct.pack(">II", 3, 0) + bytes(20) + struct.pack(">I", UPLOAD) + bytes(UPLOAD))), "", ""),
    ("4 million FLAC comments", lambda: flac_with((4, struct.pack("<II", 0, UPLOAD // 4) + bytes(UPLOAD))), "", ""),
    ("a FLAC seek table", lambda: flac_with((3, bytes(UPLOAD // 18 * 18))), "", ""),
    ("FLAC frames of nothing", flac_frames_of_nothing, "undecodable-audio", "undecodable-audio"),
    ("FLAC and zeros", lambda: flac.minutes_of_nothing() + bytes(UPLOAD), "", ""),
    ("two million WAV chunks", lambda: b"RIFF\xff\xff\xff\xffWAVE" + b"JUNK\0\0\0\0" * (UPLOAD // 8), "undecodable-audio", "undecodable-audio"),
    ("ID3 tags", lambda: b"ID3\4\0\0\0\0\0\0" * (UPLOAD // 10), "unsupported-audio", "unsupported-audio"),
    ("an ID3 tag amid MP3 frames", lambda: MP3_FRAME * 40 + id3(UPLOAD) + MP3_FRAME * 40, "no-signal", ""),
    ("what is no frame amid MP3 frames", lambda: MP3_FRAME * 40 + b"\x55" * UPLOAD + MP3_FRAME * 40, "undecodable-audio", "undecodable-audio"),
]


@pytest.fixture(scope="module")
def target() -> Iterator[Service]:
    """It decodes in its own process, where all that a recording takes can be seen. Sealed decoders run the same code,
    with a ration of memory besides: test_decoders.py."""
    with Service(workers=1, decoder="inline") as running:
        assert running.embed(voice()).ok and running.post("/diarize", data=voice(seconds=3)).ok
        assert running.embed(media.recording("-c:a aac -f mp4")).ok  # loads libavformat
        yield running


def peak_bytes(service: Service) -> int:
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as status:
        return next(int(row.split()[1]) << 10 for row in status if row.startswith("VmHWM"))


def forget_peak(service: Service) -> None:
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5", encoding="ascii")


ROWS = [(*bomb, MOST_MEMORY) for bomb in BOMBS] + [(*bomb, MOST_OF_MEDIA) for bomb in media.BOMBS]


@pytest.mark.parametrize("make,of_embed,of_diarize,most_memory", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_little_is_taken_and_nothing_stays(
    target: Service, make: Callable[[], bytes], of_embed: str | None, of_diarize: str | None, most_memory: int
) -> None:
    body = make()
    for path, name in (("/embed", of_embed), ("/diarize", of_diarize), ("/diarize?on_damage=accept", None)):
        forget_peak(target)
        memory, cpu_s = target.resident_bytes(), target.metric("process_cpu_seconds_total")
        answer = target.post(path, data=body)
        cpu_s = target.metric("process_cpu_seconds_total") - cpu_s
        peak, left = peak_bytes(target) - memory - len(body), target.resident_bytes() - memory
        print(f"{path}: {answer.status_code}, {cpu_s:.2f} s of CPU, {peak / MIB:+.1f} MiB beyond the upload, {left / MIB:+.1f} MiB afterwards")
        if name is not None:
            assert ("" if answer.ok else problem(answer)) == name, answer.text
        if not IS_SLOW:
            assert peak < most_memory, (path, peak)
            target.wait_for(lambda kept=memory: target.resident_bytes() - kept < 2 * MIB, 5, f"what {path} took to go back")
        assert cpu_s < MOST_CPU_S + 0.02 * SLOWNESS * target.log_line(answer.headers["X-Request-Id"])["audio_s"], (path, cpu_s)


@pytest.mark.parametrize("make", [lambda: opus_tags(UPLOAD // 4), endless_packet], ids=["tags", "endless"])
def test_a_long_packet_is_named(target: Service, make: Callable[[], bytes]) -> None:
    """It is refused before anything is decoded, and the answer tells what to do."""
    assert "a packet of more than 1 MiB" in target.embed(make()).json()["detail"]


def test_a_packet_without_its_end_is_not_joined_with_the_next(target: Service) -> None:
    """libavformat would, and make of two packets one that nobody has looked at."""
    assert target.embed(media.speex([media.comments(1)])).ok
    answer = target.embed(media.speex([media.comments(1)], broken=True))
    assert problem(answer) == "undecodable-audio" and "middle of a packet" in answer.json()["detail"]


@pytest.mark.skipif(BUILD.name != "release", reason="measures time: release build only")
@pytest.mark.parametrize("decoder", ["sandbox", "inline"])
def test_decoding_ends_when_nobody_waits(decoder: str) -> None:
    """A minute of eight channels at 192 kHz, 6 KB: decoding takes longer than anything else, and keeps to the deadline."""
    body = flac.wide(170)
    with Service(workers=1, decoder=decoder) as service:
        before = service.metric("process_cpu_seconds_total")
        assert service.embed(body).ok
        whole_s = service.metric("process_cpu_seconds_total") - before
    with Service(workers=1, decoder=decoder, request_timeout_s=0.2) as service:
        before, start = service.metric("process_cpu_seconds_total"), time.monotonic()
        answer = service.embed(body)
        assert (answer.status_code, problem(answer)) == (503, "queue-timeout")
        service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 0, 60, "an idle worker")
        late_s = service.metric("process_cpu_seconds_total") - before
        print(f"{late_s:.2f} s of CPU for a late clip, {whole_s:.2f} s for a whole one; idle after {time.monotonic() - start:.2f} s")
        assert late_s < 0.7 * whole_s
