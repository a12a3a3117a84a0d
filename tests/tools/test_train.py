"""The training of the fallback model: the network, what teaches it, how it begins."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="left out: the training needs PyTorch (make venv)")
pytest.importorskip("torchaudio", reason="left out: the training needs torchaudio (make venv)")
pytest.importorskip("soundfile", reason="left out: the training needs soundfile (make venv)")

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from made_up_speech import make_variant  # noqa: E402
from train import begin, crops, export, muon, schedule  # noqa: E402
from train.losses import Distillation  # noqa: E402
from train.student import Student  # noqa: E402
from vptools import resnet, safetensors_header  # noqa: E402


@pytest.fixture(scope="module")
def student() -> Student:
    """A student whose running blocks have BatchNorm statistics unlike the initial ones."""
    torch.manual_seed(5)
    model = Student()
    model.active = (1, 1, 1, 1)
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(4, 40, 80))
    return model.eval()


# ---- network --------------------------------------------------------------------------------


@torch.no_grad()
def test_blocks_that_do_not_run_are_identities(student: Student) -> None:
    feats = torch.randn(2, 37, 80)
    shallow = student(feats)
    student.active = (3, 4, 6, 3)
    full = student(feats)
    student.active = (1, 1, 1, 1)
    torch.testing.assert_close(full, shallow)


@torch.no_grad()
def test_export_is_the_published_structure_and_the_same_function(
    student: Student, tmp_path: Path
) -> None:
    safetensors = pytest.importorskip("safetensors", reason="left out: no safetensors (make venv)")
    path = tmp_path / "model.safetensors"
    assert export.export(student.state_dict(), path, "n", torch.float32) == 182
    with safetensors.safe_open(str(path), "pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}
        metadata = file.metadata()
    assert metadata["name"] == "n"
    _, data = safetensors_header.read(path)
    assert metadata["weights_sha256"] == hashlib.sha256(data).hexdigest()
    assert np.linalg.norm(json.loads(metadata["self_test"])) == pytest.approx(1, abs=1e-5)
    feats = torch.randn(1, 61, 80)
    torch.testing.assert_close(resnet.load(state)(feats), student(feats), atol=1e-4, rtol=1e-4)


def test_export_refuses_what_is_not_finite(student: Student, tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="left out: no safetensors (make venv)")
    state = dict(student.state_dict())
    state["seg_1.bias"] = torch.full_like(state["seg_1.bias"], 1e6)  # beyond float16
    with pytest.raises(SystemExit, match="seg_1.bias"):
        export.export(state, tmp_path / "model.safetensors", "n", torch.float16)
    assert not list(tmp_path.iterdir())


def test_whitening_evens_out_what_varies_within_speakers() -> None:
    from train import whiten

    rng = np.random.default_rng(2)
    spread = np.diag([5.0, 1.0, 0.2])
    clips = 3 * rng.normal(size=(4000, 1, 3)) + rng.normal(size=(4000, 4, 3)) @ spread + 7
    centre, transform = whiten.whitening(clips, strength=0.0)
    apart = (clips - clips.mean(1, keepdims=True)).reshape(-1, 3) @ transform
    covariance = np.cov(apart.T)
    assert covariance / covariance[0, 0] == pytest.approx(np.eye(3), abs=0.05)
    assert centre == pytest.approx(7, abs=0.3)
    layer = torch.nn.Linear(5, 3)
    state = {"seg_1.weight": layer.weight.detach(), "seg_1.bias": layer.bias.detach()}
    x = torch.randn(4, 5)
    wanted = (layer(x).detach().numpy() - centre) @ transform
    whiten.fold(state, centre, transform)
    folded = torch.nn.functional.linear(x, state["seg_1.weight"], state["seg_1.bias"])
    assert folded.numpy() == pytest.approx(wanted, abs=1e-4)


# ---- optimiser and losses -------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(32, 288), (64, 32), (256, 2304)])
def test_orthogonalise_evens_out_the_singular_values(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    values = torch.linalg.svdvals(muon.orthogonalise(torch.randn(shape)))
    assert 0.5 < values.min() and values.max() < 1.4


def test_muon_keeps_the_length_and_leaves_sleeping_blocks_alone() -> None:
    awake, asleep = (torch.nn.Parameter(torch.randn(8, 4, 3, 3)) for _ in range(2))
    before = asleep.detach().clone()
    awake.grad = torch.randn_like(awake)
    muon.Muon([awake, asleep], lr=0.01).step()
    assert awake.norm().item() == pytest.approx(8**0.5, rel=0.02)
    assert torch.equal(asleep, before)


def test_losses_vanish_for_a_perfect_student() -> None:
    targets = torch.nn.functional.normalize(torch.randn(6, 256), dim=1)
    head = Distillation(capacity=10, scale=20.0, margin=0.1)
    head.extend(targets)
    loss, log = head(7 * targets, targets, torch.arange(6), (1.0, 1.0, 0.0))
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert log["softmax"] < 1e-3
    swapped, log = head(7 * targets.flip(0), targets, torch.arange(6), (1.0, 1.0, 0.0))
    assert swapped.item() > 0.5 and log["softmax"] > 5


def test_new_classes_leave_the_learned_ones() -> None:
    head = Distillation(capacity=10, scale=20.0, margin=0.1)
    head.extend(torch.ones(4, 256))
    with torch.no_grad():
        head.weight[:4] = 2
    head.extend(torch.full((6, 256), 3.0))
    assert head.classes == 6
    assert head.weight[:, 0].tolist() == [2, 2, 2, 2, 3, 3, 0, 0, 0, 0]


# ---- schedule -------------------------------------------------------------------------------


def test_learning_rate_rises_then_falls_to_almost_nothing() -> None:
    rates = [schedule.learning_rate(p) for p in np.linspace(0, 1, 201)]
    assert rates[0] < 0.05 and max(rates) > 0.9 and rates[-1] < 0.01
    assert np.argmax(rates) < 10
    assert all(a >= b for a, b in zip(rates[10:], rates[11:]))


def test_phases_cover_the_run_and_blocks_are_never_taken_away() -> None:
    phases = schedule.PHASES
    starts = [p.start for p in phases]
    assert starts[0] == 0 and starts == sorted(starts) and starts[-1] < 1
    assert schedule.phase_at(phases, 0.0) is phases[0]
    assert schedule.phase_at(phases, 1.0) is phases[-1]
    for blocks in zip(*(p.blocks for p in phases), Student().arch.blocks):
        assert list(blocks) == sorted(blocks) and blocks[0] >= 1
    assert phases[-1].blocks == Student().arch.blocks


def test_a_run_that_is_given_other_hours_is_that_much_further() -> None:
    clock = schedule.Clock(seconds=3600.0, worked=900.0)
    assert clock.progress() == pytest.approx(0.25) and clock.left() == pytest.approx(2700)
    assert schedule.Clock(1800.0, clock.worked).progress() == pytest.approx(0.5)
    assert schedule.Clock(600.0, clock.worked).progress() == 1.0


# ---- the beginning --------------------------------------------------------------------------


def test_ridge_finds_a_linear_map_and_shrinks_with_its_strength() -> None:
    torch.manual_seed(1)
    x, wanted = torch.randn(400, 12) + 3, torch.randn(5, 12)
    y = x @ wanted.T + 2
    weight, bias = begin.fit_ridge(x, y, strength=1e-6)
    torch.testing.assert_close(weight, wanted, atol=1e-4, rtol=0)
    torch.testing.assert_close(bias, torch.full((5,), 2.0), atol=1e-3, rtol=0)
    assert begin.fit_ridge(x, y, strength=1e4)[0].norm() < 0.1 * weight.norm()


def test_a_new_run_begins_with_the_trunk_and_a_layer_fitted_to_the_teacher(tmp_path: Path, student: Student) -> None:
    pytest.importorskip("safetensors", reason="left out: no safetensors (make venv)")
    make_variant(tmp_path / "data" / "a")
    path = tmp_path / "trunk.safetensors"
    export.export(student.state_dict(), path, "n", torch.float16)
    model = Student()
    begin.load_trunk(model, path)
    assert torch.equal(model.conv1.weight, student.conv1.weight.half().float())
    model.active = (1, 1, 1, 1)
    source = crops.Crops(tmp_path / "data", mean_share=1.0, seed=1)
    cosine = begin.fit_last_layer(model, source, n_batches=2, strength=1.0)
    assert cosine > 0.5
    assert model.seg_1.weight.std().item() == pytest.approx(0.02, rel=1e-3)
    x, targets, _ = source.batch(32, 200, 2)
    heard = torch.cosine_similarity(model.eval()(x - x.mean(1, keepdim=True)), targets)
    assert heard.mean() > 0.2
    broken = {k: v for k, v in student.state_dict().items() if k != "layer2.0.conv1.weight"}
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in resnet.tensors(student).items() if k in broken}, str(path))
    with pytest.raises(SystemExit, match="layer2.0.conv1.weight"):
        begin.load_trunk(Student(), path)
