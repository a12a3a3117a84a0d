"""diarize with a segmentation network: random weights, but every step of the way."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import GOLDEN, MODEL, lines, write_wav

NETS = GOLDEN / "segmentation"
NET = NETS / "small.safetensors"


def noise(n: int, seed: int) -> np.ndarray:
    """Sound that comes and goes, with a pitch that moves."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / 16000
    voice = np.sin(2 * np.pi * (120 + 40 * np.sin(3 * t)) * t) * (np.sin(1.7 * t) > -0.3)
    return 8000 * voice + 800 * rng.standard_normal(n)


@pytest.fixture
def recording(tmp_path: Path):
    """So many samples of it."""
    return lambda n: write_wav(tmp_path / f"r{n}.wav", noise(n, n))


def diarize(run, path: Path, *options) -> dict:
    done = run("diarize", "--json", "--segmentation", NET, *options, path)
    assert done.returncode == 0, done.stderr
    (answer,) = lines(done)
    return answer


# below one frame, one window, its end, two, a batch of eight and one more, two batches
@pytest.mark.parametrize("n", [4800, 160000, 160001, 176000, 288000, 300000, 480001])
def test_an_answer_of_any_length(run, recording, n):
    answer = diarize(run, recording(n))
    assert answer["engine"] == "segmentation"
    assert answer["segmentation"]["name"] == "small" and answer["segmentation"]["untrained"]
    assert answer["segmentation"]["digest"].startswith("sha256:")
    assert answer["duration_s"] == pytest.approx(n / 16000, abs=1e-3)
    assert "no_overlap_detection" not in answer["warnings"]
    for turn in answer["segments"]:
        assert 0 <= turn["start"] < turn["end"] <= n / 16000 + 1e-3
    ends = [0.0] + [turn["end"] for turn in answer["exclusive"]]
    assert all(turn["start"] >= end for turn, end in zip(answer["exclusive"], ends))


def test_the_same_bytes_give_the_same_answer_on_any_number_of_threads(run, tmp_path, recording):
    paths = [recording(n) for n in (290000, 310000, 330000)]
    command = ("diarize", "--json", "--segmentation", NET, *paths)
    alone, together = run(*command), run(*command, "--jobs", "3")
    assert alone.returncode == together.returncode == 0, alone.stderr
    assert alone.stdout == together.stdout == run(*command).stdout


def test_both_forms_of_the_network_give_the_same_answer(run, recording):
    path = recording(320000)
    answers = []
    for net in ("small.safetensors", "small-opset13.onnx"):
        (answer,) = lines(run("diarize", "--json", "--segmentation", NETS / net, path))
        answer.pop("segmentation")
        answers.append(answer)
    assert answers[0] == answers[1]


def test_silence_is_an_answer(run, tmp_path):
    path = write_wav(tmp_path / "silence.wav", np.zeros(200000))
    answer = diarize(run, path)
    assert answer["duration_s"] == 12.5


def test_the_engine_can_be_chosen(run, recording):
    path = recording(200000)
    assert diarize(run, path, "--engine", "vad")["segmentation"] is None
    assert diarize(run, path, "--engine", "segmentation")["engine"] == "segmentation"
    done = run("diarize", "--engine", "segmentation", path)
    assert done.returncode == 1 and "needs a segmentation model" in done.stderr


def test_a_number_of_speakers_is_honoured(run, recording):
    answer = diarize(run, recording(400000), "--num-speakers", "1")
    assert answer["num_speakers"] <= 1


def test_a_file_that_is_no_such_network_is_refused(run, recording, tmp_path):
    path = recording(20000)
    for net, complaint in ((NETS / "refused-int8.onnx", "int8"), (tmp_path / "none", "No such file"),
                           (GOLDEN / "models" / "tiny.safetensors", "no segmentation network")):
        done = run("diarize", "--segmentation", net, path)
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.startswith(f"voiceprint: {net}: ") and complaint in done.stderr


def test_the_network_beside_the_model_is_taken(run, tmp_path, recording):
    model = shutil.copy(MODEL, tmp_path / "mine.safetensors")
    path = recording(176000)

    def engine(*options):
        done = run("diarize", "--json", "--model", model, *options, path)
        assert done.returncode == 0, done.stderr
        (answer,) = lines(done)
        return answer["engine"]

    assert engine() == "vad"
    shutil.copy(NET, tmp_path / "segmentation.safetensors")
    assert engine() == "segmentation"
    assert engine("--segmentation", "none") == engine("--engine", "vad") == "vad"
    (tmp_path / "speech.rttm").write_text("SPEAKER r176000 1 0.5 3.0 <NA> <NA> a <NA> <NA>\n")
    assert engine("--speech", tmp_path / "speech.rttm") == "vad"
    (tmp_path / "segmentation.safetensors").write_bytes(b"not a network")
    done = run("diarize", "--model", model, path)
    assert done.returncode == 1 and "segmentation.safetensors: " in done.stderr
