"""voiceprint diarize --png: the picture shows the turns that the answer tells."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
from conftest import Run, write_wav

LEFT, RIGHT, WAVE_MIDDLE, LANES_TOP, LANE = 148, 1580, 120, 230, 34
COLOURS = [(0x24, 0x56, 0xC4), (0xB3, 0x54, 0x0E), (0x17, 0x80, 0x4A), (0x8B, 0x3F, 0xB0)]
QUIET, WHITE = (0x9A, 0xA0, 0xAB), (255, 255, 255)
RATE, SECONDS = 16000, 20


def read_png(path: Path) -> np.ndarray:
    """[height, width, 3] of an RGB file, all five filters, by the standard library."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert (depth, kind) == (8, 2)
    at, packed = 8, b""
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        packed += data[at + 8:at + 8 + size] if name == b"IDAT" else b""
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    out = np.zeros((height, 3 * width), np.int64)
    for y, row in enumerate(rows):
        above = out[y - 1] if y else np.zeros(3 * width, np.int64)
        for x in range(3 * width):
            a, b, c = (out[y, x - 3] if x > 2 else 0), above[x], (above[x - 3] if x > 2 else 0)
            nearest = min((a, b, c), key=lambda v: abs(int(a) + int(b) - int(c) - int(v)))
            out[y, x] = (int(row[1 + x]) + (0, a, b, (a + b) // 2, nearest)[row[0]]) % 256
    return out.reshape(height, width, 3)


def speech(tmp_path: Path) -> Path:
    """Where --speech says that there is some: 2 to 8 s and 11 to 18 s."""
    file = tmp_path / "speech.rttm"
    file.write_text("SPEAKER talk 1 2.000 6.000 <NA> <NA> a <NA> <NA>\n"
                    "SPEAKER talk 1 11.000 7.000 <NA> <NA> b <NA> <NA>\n")
    return file


def talk(tmp_path: Path) -> Path:
    """Two colours of noise with a pause between."""
    rng = np.random.default_rng(5)
    noise = rng.standard_normal(SECONDS * RATE)
    noise[:9 * RATE] = np.convolve(noise[:9 * RATE], np.ones(8) / 8, "same") * 2
    return write_wav(tmp_path / "talk.wav", np.clip(noise * 4000, -30000, 30000))


def test_turns_and_waveform(run: Run, tmp_path: Path) -> None:
    done = run("diarize", "--json", "--png", tmp_path, "--speech", speech(tmp_path), "--num-speakers", "2",
               talk(tmp_path))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    picture = read_png(tmp_path / "talk.png")
    n = answer["num_speakers"]
    assert n == 2 and picture.shape[1] == 1600

    def column(seconds: float) -> int:
        return LEFT + int((RIGHT - LEFT) * seconds / SECONDS)

    for seconds in np.arange(0.25, SECONDS, 0.5):
        for speaker in range(n):
            spoken = any(t["start"] <= seconds < t["end"] for t in answer["segments"]
                         if t["speaker"] == f"SPEAKER_{speaker:02}")
            near = any(abs(seconds - t[edge]) < 0.05 for t in answer["segments"] for edge in ("start", "end"))
            pixel = tuple(picture[LANES_TOP + LANE * speaker + LANE // 2, column(seconds)])
            assert near or pixel == (COLOURS[speaker] if spoken else WHITE), (seconds, speaker)
        turn = next((t for t in answer["exclusive"] if t["start"] <= seconds < t["end"]), None)
        colour = COLOURS[int(turn["speaker"][-2:])] if turn else QUIET
        assert near or tuple(picture[WAVE_MIDDLE, column(seconds)]) == colour, seconds
    # The labels stand beside their lanes, in the colour of the lane.
    for speaker in range(n):
        lane = picture[LANES_TOP + LANE * speaker:LANES_TOP + LANE * (speaker + 1), :LEFT - 4]
        assert (lane == COLOURS[speaker]).all(axis=2).sum() > 400
    # Twenty seconds: a tick every two.
    axis = picture[LANES_TOP + LANE * n + 6, LEFT:RIGHT + 4]
    assert (axis != 255).any(axis=1).sum() == 11


def test_silence_has_a_picture_too(run: Run, tmp_path: Path) -> None:
    silent = write_wav(tmp_path / "silent.wav", np.zeros(3 * RATE))
    done = run("diarize", "--png", tmp_path, silent)
    assert done.returncode == 0, done.stderr
    picture = read_png(tmp_path / "silent.png")
    assert {tuple(p) for p in picture[WAVE_MIDDLE, LEFT:RIGHT]} == {QUIET}


def test_a_folder_that_is_not_there(run: Run, tmp_path: Path) -> None:
    done = run("diarize", "--png", tmp_path / "gone", talk(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert "cannot write" in done.stderr and "gone/talk.png" in done.stderr
