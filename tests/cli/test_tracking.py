"""voiceprint diarize with the model in the box: voices that speak at once, on real speech."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import PROGRAM, ROOT, write_wav

MODEL = ROOT / "models" / "voiceprint.safetensors"
SPEECH_DIR = Path(os.environ.get("SPEECH_DIR", ROOT / "../shared/audio"))
RATE = 16000
# Clip, and the second at which it begins: a and b take turns, then b speaks into a's sentence, and a into b's.
TALK = [("spk001-clip1", "a", 0.5), ("spk004-clip2", "b", 6.0), ("spk001-clip2", "a", 12.0),
        ("spk004-clip1", "b", 14.5), ("spk004-clip3", "b", 19.5), ("spk001-clip3", "a", 21.5)]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The recording and its labels."""
    paths = [next(SPEECH_DIR.rglob(f"{clip}.flac"), None) for clip, _, _ in TALK]
    if None in paths:
        assert os.environ.get("RECORDINGS") != "required", "SPEECH_DIR has no clips"
        pytest.skip("left out: two voices of real speech; SPEECH_DIR names no folder of clips")
    folder = tmp_path_factory.mktemp("talk")
    total, lines = np.zeros(30 * RATE, dtype=np.float32), []
    for path, (_, who, at) in zip(paths, TALK):
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "f32le", "-ac", "1", "-ar", str(RATE), "-"],
                             capture_output=True, timeout=60, check=True).stdout
        samples = np.frombuffer(raw, dtype=np.float32)
        samples = samples / np.sqrt(np.mean(np.square(samples))) * 0.05
        first = int(at * RATE)
        total[first:first + len(samples)] += samples
        lines.append(f"SPEAKER talk 1 {at:.3f} {len(samples) / RATE:.3f} <NA> <NA> {who} <NA> <NA>\n")
    (folder / "talk.rttm").write_text("".join(lines))
    return write_wav(folder / "talk.wav", np.round(32767 * np.clip(total, -1, 1))), folder / "talk.rttm"


def diarize(path: Path, *options: str) -> dict:
    done = subprocess.run([PROGRAM, "diarize", "--json", "--engine", "vad", "--model", MODEL, *options, path],
                          capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


def shared_s(turns: list[dict], first: float, end: float) -> float:
    """Time within first .. end in which two turns of different speakers overlap."""
    times = np.arange(first, end, 0.01)
    heard = {who: np.zeros(len(times), dtype=bool) for who in {turn["speaker"] for turn in turns}}
    for turn in turns:
        heard[turn["speaker"]] |= (times >= turn["start"]) & (times < turn["end"])
    return 0.01 * float((sum(mask.astype(int) for mask in heard.values()) >= 2).sum())


def test_two_at_once(talk: tuple[Path, Path]) -> None:
    answer = diarize(talk[0], "--num-speakers", "2")
    assert answer["num_speakers"] == 2 and "no_overlap_detection" not in answer["warnings"]
    turns = answer["segments"]
    assert answer["overlap_s"] == pytest.approx(shared_s(turns, 0, 30), abs=0.1)
    # They speak at once from 14.5 to 17.3 and from 21.5 to 24.4, and nowhere else; a quarter is found.
    assert shared_s(turns, 14.5, 17.4) > 0.4 and shared_s(turns, 21.5, 24.5) > 0.4
    assert shared_s(turns, 0, 14.0) < 0.3
    for turn in turns:
        assert 0 <= turn["confidence"] <= 1 and turn["end"] > turn["start"]
    ends = [turn["end"] for turn in answer["exclusive"]]
    assert all(turn["start"] >= end for turn, end in zip(answer["exclusive"][1:], ends))


def test_error_rate(talk: tuple[Path, Path], tmp_path: Path) -> None:
    """One label an instant gave 34 % here. Pauses inside the clips are labelled as speech."""
    found = subprocess.run([PROGRAM, "diarize", "--rttm", "--engine", "vad", "--num-speakers", "2", "--model", MODEL, talk[0]],
                           capture_output=True, text=True, timeout=120, check=True)
    (tmp_path / "found.rttm").write_text(found.stdout)
    scored = subprocess.run([PROGRAM, "score", talk[1], tmp_path / "found.rttm"], capture_output=True, text=True,
                            timeout=60, check=True).stdout
    total = next(line for line in scored.splitlines() if line.startswith("TOTAL")).split()
    assert float(total[1]) <= 26.0, scored


def test_given_speech_is_covered_exactly(talk: tuple[Path, Path]) -> None:
    """With --speech somebody speaks throughout, to the millisecond, and nobody elsewhere."""
    answer = diarize(talk[0], "--speech", str(talk[1]), "--min-on", "0", "--min-off", "0")
    times = np.arange(0, 30, 0.001) + 0.0005
    wanted, found = np.zeros(len(times), dtype=bool), np.zeros(len(times), dtype=bool)
    for line in talk[1].read_text().splitlines():
        start, length = map(float, line.split()[3:5])
        wanted |= (times >= start) & (times < start + length)
    for turn in answer["segments"]:
        found |= (times >= turn["start"]) & (times < turn["end"])
    assert (wanted != found).sum() <= 4, "each end of a stretch may be rounded to a millisecond"


def test_a_number_of_voices_that_is_asked_for_is_kept(talk: tuple[Path, Path]) -> None:
    answer = diarize(talk[0], "--num-speakers", "3")
    assert answer["num_speakers"] == 3 and answer["num_speakers_from"] == "request"


def test_the_same_bytes_give_the_same_answer(talk: tuple[Path, Path]) -> None:
    one, two = (diarize(talk[0], "--jobs", jobs) for jobs in ("1", "2"))
    assert one == two


def test_another_model_tells_of_one_voice_at_a_time(talk: tuple[Path, Path]) -> None:
    """The net belongs to the trunk that it was trained on."""
    small = ROOT / "tests" / "golden" / "models" / "small.safetensors"
    done = subprocess.run([PROGRAM, "diarize", "--json", "--model", small, talk[0]], capture_output=True, text=True,
                          timeout=120, check=True)
    answer = json.loads(done.stdout)
    assert "no_overlap_detection" in answer["warnings"] and answer["overlap_s"] == 0


def test_a_word(talk: tuple[Path, Path], tmp_path: Path) -> None:
    """Below a second there is no second hearing."""
    samples = np.frombuffer(talk[0].read_bytes()[44:], dtype="<i2")[RATE:RATE + 13000]
    answer = diarize(write_wav(tmp_path / "word.wav", samples))
    assert answer["num_speakers"] <= 1
    assert "no_overlap_detection" in answer["warnings"] or answer["num_speakers"] == 0
