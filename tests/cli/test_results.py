"""What the commands answer, against the goldens and against one another."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import GOLDEN, MODEL, golden_signal, lines, write_wav

LENGTHS = (9, 10, 16, 17, 50, 98)
ALL_LENGTHS = (*LENGTHS, 200, 333, 998)


def golden(n_frames: int, stage: str) -> np.ndarray:
    return np.load(GOLDEN / f"t{n_frames:03}" / f"{stage}.npy")


@pytest.mark.parametrize("n_frames", ALL_LENGTHS)
def test_embed_gives_the_golden_embedding(run, clip, n_frames):
    file = clip(n_frames)
    done = run("embed", "--no-normalize", "--speech-only", "false", "--min-duration", "0.105", file)
    assert done.returncode == 0, done.stderr
    (answer,) = lines(done)
    assert answer["file"] == str(file)
    assert answer["frames"] == n_frames
    assert answer["duration_s"] == pytest.approx((400 + 160 * (n_frames - 1)) / 16000, abs=1e-8)
    expected = golden(n_frames, "embedding")
    found = np.array(answer["embedding"])
    assert np.abs(found - expected).max() / np.linalg.norm(expected) <= 1e-4
    assert answer["norm"] == pytest.approx(np.linalg.norm(found), rel=1e-6)


def test_embed_normalises_unless_told_otherwise(run, clip):
    file = clip(50)
    (unit,), (raw,) = lines(run("embed", file)), lines(run("embed", "--no-normalize", file))
    assert np.linalg.norm(unit["embedding"]) == pytest.approx(1.0, abs=1e-6)
    assert unit["norm"] == raw["norm"]
    assert np.allclose(np.array(raw["embedding"]) / raw["norm"], unit["embedding"], atol=1e-6)


def test_numbers_round_trip_float32(run, clip):
    (answer,) = lines(run("embed", clip(98)))
    for text in json.dumps(answer["embedding"]).strip("[]").split(","):
        value = np.float32(text)
        assert abs(float(value) - float(text)) <= 5e-9 * abs(float(value)), "not nine digits"


@pytest.mark.parametrize("n_frames", LENGTHS)
def test_fbank_gives_the_golden_features(run, clip, tmp_path, n_frames):
    out = tmp_path / "fbank.npy"
    done = run("fbank", clip(n_frames), "--min-duration", "0.105", "--out", out)
    assert done.returncode == 0, done.stderr
    found, expected = np.load(out), golden(n_frames, "fbank")
    assert found.dtype == np.float32
    assert found.shape == expected.shape == (n_frames, 80)
    assert np.abs(found - expected).max() <= 2e-3
    assert np.abs(found - expected).mean() <= 2e-5


@pytest.mark.parametrize("n_frames", LENGTHS)
def test_stages_are_the_golden_ones(run, clip, tmp_path, n_frames):
    out = tmp_path / "stages"
    done = run("stages", clip(n_frames), "--min-duration", "0.105", "--out", out)
    assert done.returncode == 0, done.stderr
    names = ["conv1", "layer1", "layer2", "layer3", "layer4", "pooled", "embedding"]
    assert sorted(p.stem for p in out.iterdir()) == sorted([*names, "fbank"])
    for name in names:
        found, expected = np.load(out / f"{name}.npy"), golden(n_frames, name)
        assert found.shape == expected.shape, name
        assert np.abs(found - expected).max() / np.abs(expected).max() <= 1e-3, name


def test_compare_is_the_cosine_of_the_embeddings(run, clip, tmp_path):
    a, b = clip(200), write_wav(tmp_path / "b.wav", golden_signal(998)[60000:])
    x, y = (np.array(answer["embedding"]) for answer in lines(run("embed", a, b)))
    (answer,) = lines(run("compare", a, b))
    assert answer["score"] == pytest.approx(float(x @ y), abs=1e-6)
    assert answer["metric"] == "cosine"
    assert answer["a"]["file"] == str(a) and answer["b"]["frames"] == 1 + (99920 - 400) // 160
    (same,) = lines(run("compare", a, a))
    assert same["score"] == pytest.approx(1.0, abs=1e-6)


def test_info_describes_the_model(run):
    done = run("info")
    assert done.returncode == 0, done.stderr
    (info,) = lines(done)
    assert info["blocks"] == [1, 1, 1, 1] and info["channels"] == [8, 16, 32, 64]
    assert info["dim"] == 24 and info["n_mels"] == 80 and info["sample_rate"] == 16000
    assert info["format"] == "safetensors" and info["model_digest"].startswith("sha256:")
    assert info["self_test"]["passed"] is True
    assert info["kernel"] in ("blas", "avx2", "avx512", "neon")


def test_kernels_agree(run, clip):
    (info,) = lines(run("info"))
    (blas,) = lines(run("embed", "--kernel", "blas", clip(98)))
    (fastest,) = lines(run("embed", "--kernel", info["kernel"], clip(98)))
    assert float(np.dot(blas["embedding"], fastest["embedding"])) >= 0.99999


def test_onnx_and_safetensors_are_read(run, clip):
    models = GOLDEN / "models"
    expected = np.load(models / "tiny-embeddings.npy")
    for row, name in enumerate(("tiny.safetensors", "tiny-opset14.onnx")):
        done = run("embed", "--no-normalize", "--model", models / name, clip(50))
        assert done.returncode == 0, done.stderr
        found = np.array(lines(done)[0]["embedding"])
        assert np.abs(found - expected[row]).max() / np.linalg.norm(expected[row]) <= 1e-4


def test_untrained_weights_are_named_in_every_answer(run, clip):
    said = GOLDEN / "models" / "small.safetensors"  # its metadata say so
    silent = GOLDEN / "models" / "tiny-opset14.onnx"
    for model, untrained in ((said, True), (silent, None)):
        (info,) = lines(run("info", "--model", model))
        (line,) = lines(run("embed", "--model", model, clip(50)))
        (score,) = lines(run("compare", "--model", model, clip(50), clip(98)))
        assert info["untrained"] is bool(untrained)
        assert line.get("untrained") is score.get("untrained") is untrained


def test_bench_times_each_length(run):
    done = run("bench", "--frames", "9,98", "--repeat", "3", "--model", MODEL)
    assert done.returncode == 0, done.stderr
    answers = lines(done)
    assert [answer["frames"] for answer in answers] == [9, 98]
    for answer in answers:
        assert 0 < answer["min_ms"] <= answer["median_ms"]
        assert answer["fbank_ms"] > 0 and answer["kernel"] in ("blas", "avx2", "avx512", "neon")
