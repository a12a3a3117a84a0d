"""The training of the speech detector: labels, simulated conversations, a run that is stopped."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="left out: the training needs PyTorch (make venv)")
for package in ("torchaudio", "soundfile", "soxr", "scipy"):
    pytest.importorskip(package, reason=f"left out: the training needs {package} (make venv)")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from safetensors.torch import load_file  # noqa: E402
from train.vad import net, run, simulate, sounds  # noqa: E402

HOP = sounds.HOP


def bursts(spoken: list[tuple[int, int]], n_hops: int, noise: float = 1e-4) -> np.ndarray:
    """Loud noise in those hops, faint noise elsewhere."""
    rng = np.random.default_rng(4)
    gain = np.full(n_hops, noise)
    for first, end in spoken:
        gain[first:end] = 0.1
    return rng.standard_normal(n_hops * HOP) * np.repeat(gain, HOP)


# ---- labels ---------------------------------------------------------------------------------


def test_speech_is_what_stands_above_the_floor_and_short_pauses_are_bridged() -> None:
    speech = sounds.find_speech(bursts([(50, 90), (110, 150), (210, 260), (300, 302)], 350))
    assert speech is not None
    found = sounds.runs(speech)
    # 0.2 s are bridged, 0.6 s are not, and a click of 20 ms is not speech.
    np.testing.assert_allclose(found, [(50, 150), (210, 260)], atol=6)


def test_without_contrast_there_is_no_label() -> None:
    assert sounds.find_speech(bursts([], 300, noise=0.1)) is None


def test_level_does_not_matter_to_the_label() -> None:
    samples = bursts([(50, 90)], 200)
    np.testing.assert_array_equal(sounds.find_speech(samples), sounds.find_speech(samples * 0.1))


def test_held_out_and_training_share_nothing() -> None:
    things = list(range(100))
    train, held = sounds.split(things, False), sounds.split(things, True)
    assert sorted(train + held) == things and len(held) == 5


# ---- conversations --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> simulate.Sounds:
    samples = bursts([(20, 120)], 150)
    segment = sounds.Segment(sounds.to_int16(samples), np.arange(150) // 20 % 7 > 0)
    noise = {kind: [0.1 * bursts([(0, 60)], 100)] for kind in ("music", "human", "event", "ambience")}
    return simulate.Sounds([[segment]] * 5, [sounds.to_int16(bursts([], 30, 0.01))], noise)


def test_conversations_have_a_label_for_each_frame_and_are_repeatable(world: simulate.Sounds) -> None:
    shares = []
    for seed in range(12):
        samples, labels = simulate.conversation(world, np.random.default_rng(seed))
        again, _ = simulate.conversation(world, np.random.default_rng(seed))
        np.testing.assert_array_equal(samples, again)
        assert samples.shape == (simulate.N,) and np.isfinite(samples).all()
        assert labels.shape == (simulate.N_FRAMES,)
        shares.append(labels.mean())
    assert min(shares) < 0.3 < 0.6 < max(shares)


# ---- network and run ------------------------------------------------------------------------


@torch.no_grad()
def test_the_file_computes_what_was_trained() -> None:
    torch.manual_seed(1)
    model = net.Vad()
    model.mean.copy_(torch.linspace(2, 9, net.N_MELS))
    model.scale.copy_(torch.linspace(0.2, 0.4, net.N_MELS))
    features = 6 + 3 * torch.randn(2, 51, net.N_MELS)
    torch.testing.assert_close(net.load(net.folded(model))(features), model(features))


@torch.no_grad()
def test_every_step_gets_an_answer_and_hears_only_so_far_ahead() -> None:
    torch.manual_seed(2)
    model, ahead = net.Vad(), net.STEP_FRAMES * (net.DELAY_STEPS + 1)
    features = torch.randn(1, 99, net.N_MELS)
    logits = model(features)
    assert logits.shape == (1, 50)
    features[0, 40 + ahead] += 5
    changed = model(features)
    torch.testing.assert_close(changed[0, :20], logits[0, :20])
    assert (changed[0, 21:] != logits[0, 21:]).any()


def make_data(folder: Path) -> None:
    rng = np.random.default_rng(3)
    labels = np.repeat(rng.random((4, 40)) < 0.5, 30, axis=1)
    features = rng.normal(0, 1, (4, 1200, 80)) + np.where(labels, 9, 4)[..., None]
    folder.mkdir()
    np.save(folder / "features.npy", features.astype(np.float16))
    np.save(folder / "labels.npy", labels)


def test_a_run_goes_on_where_it_was_stopped_and_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_data(tmp_path / "data")
    monkeypatch.setattr(run, "BATCH", 4)
    monkeypatch.setattr(run, "CROP_FRAMES", 200)
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    folders = [str(tmp_path / "data"), str(tmp_path / "data"), str(tmp_path / "run")]
    run.main(parser.parse_args([*folders, "--steps", "20"]))
    run.main(parser.parse_args([*folders, "--steps", "60"]))
    out = capsys.readouterr().out
    assert "step 20/20" in out and "step 60/60" in out
    model = net.load(load_file(tmp_path / "run" / "vad.safetensors"))
    missed, false = run.evaluate(model, run.Conversations(tmp_path / "data"))
    assert missed + false < 0.3


# ---- what is committed ----------------------------------------------------------------------


def test_the_goldens_are_what_pytorch_says() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tests/reference/vad_golden.py"), "--check"],
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@torch.no_grad()
def test_the_net_in_the_box_is_small_and_hears_no_speech_in_silence() -> None:
    path = ROOT / "models" / "vad.safetensors"
    assert path.stat().st_size <= 150_000
    model = net.load(load_file(path))
    silence = torch.full((1, 1000, net.N_MELS), -15.942385)
    assert torch.sigmoid(model(silence)).max() < 0.5
