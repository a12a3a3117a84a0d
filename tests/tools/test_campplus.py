"""CAM++ in PyTorch: the published names, the gates, the front end, and the published weights' figures."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="left out: CAM++ in PyTorch needs PyTorch (make venv)")
pytest.importorskip("torchaudio", reason="left out: its front end needs torchaudio (make venv)")
pytest.importorskip("soundfile", reason="left out: reading clips needs soundfile (make venv)")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from vptools import campplus, checkpoint, features  # noqa: E402
from vptools.verification import equal_error_rate, error_curve, read_trials  # noqa: E402

# SHA-256 of the lines `name shape` of campplus_cn_en_common.pt, sorted.
PUBLISHED_NAMES = "2958fda68cb1e0e2e3515bcf89a06763a46fd96b97691d79b088322ebaa07900"
CHECKPOINT = Path(os.environ.get("CAMPPLUS", ROOT / "build/weights/campplus_cn_en_common.pt"))
SPEECH = Path(os.environ.get("SPEECH_DIR", ROOT.parent / "shared/audio"))
SMALL = campplus.Architecture((2, 3, 1), 12, 4, 6, 5)


def outline(state: dict) -> str:
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in state.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_names_and_shapes_are_the_published_ones() -> None:
    state = campplus.CamPlusPlus().state_dict()
    assert len(state) == 937 and outline(state) == PUBLISHED_NAMES


@pytest.mark.parametrize("arch", [SMALL, campplus.Architecture(dim=512)])
@torch.no_grad()
def test_the_architecture_is_read_off_the_weights(arch: campplus.Architecture) -> None:
    model = campplus.untrained(arch, 1)
    again = campplus.load(model.state_dict())
    assert again.arch == arch
    feats = torch.randn(2, 57, 80)
    assert torch.equal(again(feats), model(feats)) and model(feats).shape == (2, arch.dim)


def test_what_is_not_this_network_is_refused() -> None:
    state = campplus.untrained(SMALL, 1).state_dict()
    lacking = {k: v for k, v in state.items() if k != "xvector.block2.tdnnd2.linear1.weight"}
    with pytest.raises(ValueError, match=r"tdnnd2\.linear1"):
        campplus.load(lacking)
    with pytest.raises(ValueError, match="other.weight"):
        campplus.load(state | {"other.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"block2 has layers \[1, 3\]"):
        campplus.load({k: v for k, v in state.items() if "block2.tdnnd2" not in k})
    with pytest.raises(ValueError, match="block1"):
        campplus.load({"conv1.weight": torch.zeros(1)})


@torch.no_grad()
def test_a_gate_hears_the_whole_clip_and_its_segment() -> None:
    """By loops in float64: the last segment of 250 frames has 50, and its mean is of those 50."""
    torch.manual_seed(3)
    layer = campplus.MaskedConvolution(SMALL, dilation=2).double()
    x = torch.randn(1, SMALL.bottleneck, 250, dtype=torch.float64) + torch.linspace(-2, 2, 250)
    w1, w2 = layer.linear1.weight[..., 0].numpy(), layer.linear2.weight[..., 0].numpy()
    b1, b2 = layer.linear1.bias.numpy(), layer.linear2.bias.numpy()
    taps, clip = layer.linear_local.weight.numpy(), x[0].numpy()
    padded = np.pad(clip, ((0, 0), (2, 2)))
    found = layer(x)[0].numpy()
    for t in range(250):
        segment = clip[:, t // 100 * 100 : t // 100 * 100 + 100]
        context = clip.mean(1) + segment.mean(1)
        mask = 1 / (1 + np.exp(-(w2 @ np.maximum(w1 @ context + b1, 0) + b2)))
        local = sum(taps[:, :, k] @ padded[:, t + 2 * k] for k in range(3))
        assert found[:, t] == pytest.approx(mask * local, abs=1e-10)


@pytest.mark.parametrize("n_frames", [campplus.MIN_FRAMES, 4, 199, 200, 201, 203])
@torch.no_grad()
def test_every_length_has_its_stages(n_frames: int) -> None:
    model = campplus.untrained(SMALL, 2)
    stages = model.stages(torch.randn(1, n_frames, 80))
    assert tuple(stages) == campplus.STAGES
    assert stages["head"].shape == (1, 320, n_frames)
    assert stages["tdnn"].shape == (1, 12, (n_frames + 1) // 2)
    assert stages["block3"].shape[-1] == (n_frames + 1) // 2
    assert all(torch.isfinite(value).all() for value in stages.values())
    assert stages["embedding"].min() < 0, "a ReLU at the end costs a tenth more errors"


def test_front_end_is_povey_and_of_samples_below_one() -> None:
    """Quiet noise: in [-1, 1] much of it lies on the floor of the log, as 16-bit values nothing does."""
    rng = np.random.default_rng(1)
    samples = (3e-5 * rng.standard_normal(4000) * np.linspace(0, 1, 4000)).astype(np.float32)
    found = campplus.features(samples)
    assert found.shape == (23, 80)
    torch.testing.assert_close(found.mean(0), torch.zeros(80), atol=1e-4, rtol=0)
    loud = features.fbank(samples, window_type="povey")
    assert (found - loud).abs().max() > 1
    clear = campplus.features(1000 * samples)
    hamming = features.fbank(1000 * samples / np.float32(32768))
    assert (clear - hamming).abs().max() > 0.1


@torch.no_grad()
def test_published_weights_tell_the_public_clips_apart() -> None:
    """2.9 % with this front end and this network; 3.3 with a ReLU at the end, 4.5 with Hamming's window."""
    if not CHECKPOINT.exists():
        pytest.skip(f"left out: {CHECKPOINT} is not here (make model-campplus)")
    if not (SPEECH / "trials.txt").exists():
        pytest.skip(f"left out: no clips in {SPEECH}")
    model = campplus.load(checkpoint.open_pickle(CHECKPOINT))
    trials = read_trials(SPEECH / "trials.txt")
    vectors = {}
    for name in sorted({name for t in trials for name in (t.a, t.b)}):
        vector = model(campplus.features(features.read_samples(SPEECH / name))[None])[0]
        vectors[name] = (vector / vector.norm()).numpy()
    scores = np.array([float(vectors[t.a] @ vectors[t.b]) for t in trials])
    eer = equal_error_rate(error_curve(scores, np.array([t.same for t in trials])))
    assert 100 * eer == pytest.approx(2.91, abs=0.05)
