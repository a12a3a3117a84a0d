"""The training of the fallback model: each part on small made-up data, and a run that is stopped."""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="left out: the training needs PyTorch (make venv)")
pytest.importorskip("torchaudio", reason="left out: the training needs torchaudio (make venv)")
soundfile = pytest.importorskip("soundfile", reason="left out: the training needs soundfile (make venv)")

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from train import baselines, crops, export, muon, run, schedule, trials  # noqa: E402
from train.augment import add, augment, babble, band_limit, level, mask, narrow, silence  # noqa: E402
from train.losses import Distillation  # noqa: E402
from train.student import Student  # noqa: E402
from vptools import resnet, safetensors_header  # noqa: E402

N_SPEAKERS = 64


def make_variant(folder: Path, speed: float = 1.0, n_frames: int = 260) -> None:
    """Speakers with a spectrum, which comes and goes, and a teacher vector of their own."""
    rng = np.random.default_rng(3)
    spectra = rng.normal(size=(N_SPEAKERS, 1, 80)) * 2
    swell = 1 + np.sin(np.arange(n_frames) * 0.6)[:, None]  # mean removal leaves what moves
    noise = np.random.default_rng(int(100 * speed)).normal(size=(N_SPEAKERS, n_frames, 80))
    vectors = crops.unit(np.abs(rng.normal(size=(N_SPEAKERS, 256))))
    n_windows = 2
    folder.mkdir(parents=True)
    np.save(folder / "fbank.npy", (spectra * swell + noise).reshape(-1, 80).astype(np.float16))
    np.save(folder / "teacher.npy", np.repeat(vectors, n_windows, axis=0).astype(np.float16))
    rows = [(i * n_frames, n_frames, i * n_windows, n_windows) for i in range(N_SPEAKERS)]
    names = [f"s{i:03}" for i in range(N_SPEAKERS)]
    corpora = ["speechocean"] * N_SPEAKERS
    np.savez(folder / "index.npz", rows=rows, speakers=names, corpora=corpora, speed=speed)


def arguments(data: Path, folder: Path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return parser.parse_args([str(data), str(folder), "--threads", "1", *more])


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


@pytest.mark.parametrize("name", sorted(schedule.SCHEDULES))
def test_phases_cover_the_run_and_blocks_are_never_taken_away(name: str) -> None:
    phases = schedule.SCHEDULES[name]
    starts = [p.start for p in phases]
    assert starts[0] == 0 and starts == sorted(starts) and starts[-1] < 1
    assert schedule.phase_at(phases, 0.0) is phases[0]
    assert schedule.phase_at(phases, 1.0) is phases[-1]
    for blocks in zip(*(p.blocks for p in phases), Student().arch.blocks):
        assert list(blocks) == sorted(blocks) and blocks[0] >= 1


def test_clock_by_the_wall_does_not_care_about_a_pause() -> None:
    clock = schedule.Clock(began=1000.0, until=2000.0, seconds=None)
    assert clock.progress(1500.0) == pytest.approx(0.5)
    assert clock.left(1900.0) == pytest.approx(100)
    assert clock.progress(9999.0) == 1.0


def test_clock_by_work_does_not_count_a_pause() -> None:
    clock = schedule.Clock(began=0.0, until=None, seconds=1000.0)
    clock.tick(10.0)
    clock.tick(3600.0)  # stopped for an hour within a step
    assert clock.worked <= 10 + schedule.LONG_STEP_S
    assert clock.progress(1e9) == pytest.approx(clock.worked / 1000)


# ---- features -------------------------------------------------------------------------------


def test_noise_is_added_at_its_level() -> None:
    torch.manual_seed(2)
    clip, noise = torch.randn(3, 50, 80), 5 + torch.randn(3, 50, 80)
    mixed = add(clip, noise, torch.tensor([0.0, 10.0, 60.0])[:, None, None])
    gain_db = 10 * (level(mixed) - level(clip)).flatten() / np.log(10)
    assert gain_db.numpy() == pytest.approx([3.01, 0.414, 0.0], abs=0.01)


@pytest.mark.parametrize("change", [augment, babble, band_limit, mask, narrow, silence])
def test_augmentation_keeps_shape_and_stays_finite(change) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(3)
    clip = 4 * torch.randn(8, 60, 80)
    out = change(clip.clone())
    assert out.shape == clip.shape and torch.isfinite(out).all()
    assert not torch.equal(out, clip)


def test_silence_is_what_the_front_end_makes_of_zeros() -> None:
    from vptools import features

    zeros = features.fbank(np.zeros(1600, np.float32), remove_mean=False)
    torch.manual_seed(4)
    out = silence(torch.full((8, 100, 80), 12.0))
    assert out.min().item() == pytest.approx(zeros.max().item(), abs=1e-4)
    assert out.max().item() == 12.0


def test_effects_keep_length_and_do_what_they_say() -> None:
    pytest.importorskip("scipy", reason="left out: the effects need SciPy")
    from train import effects

    rng = np.random.default_rng(1)
    noise = rng.standard_normal(16001).astype(np.float32)
    for _ in range(10):
        out = effects.degrade(noise, rng)
        assert out.shape == noise.shape and out.dtype == np.float32 and np.isfinite(out).all()
    spectrum = np.abs(np.fft.rfft(effects.telephone(noise, rng))) ** 2
    assert spectrum[5000:].sum() < 0.01 * spectrum[:3000].sum()  # next to nothing above 5 kHz
    assert np.abs(effects.mu_law(noise) - noise).max() < 0.05 * np.abs(noise).max()


# ---- data -----------------------------------------------------------------------------------


def test_crops_draw_the_speakers_of_the_training_only(tmp_path: Path) -> None:
    make_variant(tmp_path / "a")
    source = crops.Crops(tmp_path, mean_share=1.0, seed=1)
    kept = set(source.train.tolist())
    assert 0 < N_SPEAKERS - len(kept) < N_SPEAKERS / 4
    x, targets, classes = source.batch(32, 100, per_speaker=2)
    assert x.shape == (32, 100, 80) and targets.shape == (32, 256)
    torch.testing.assert_close(targets.norm(dim=1), torch.ones(32))
    assert torch.equal(classes[:16], classes[16:])
    torch.testing.assert_close(targets, source.class_targets()[classes], atol=1e-3, rtol=0)
    for row, c in zip(x, classes):  # the crop is of the speaker its class says
        spectra = source.variants[0].fbank.reshape(N_SPEAKERS, -1, 80).astype(np.float32).mean(1)
        nearest = np.argmin(np.square(spectra - row.mean(0).numpy()).sum(1))
        assert nearest == source.train[int(c)]


def test_short_speech_is_repeated(tmp_path: Path) -> None:
    make_variant(tmp_path / "a", n_frames=30)
    variant = crops.Variant.load(tmp_path / "a")
    crop = variant.crop(3, 0, 70)
    assert np.array_equal(crop[:30], crop[30:60]) and np.array_equal(crop[60:], crop[:10])


def test_a_variant_that_arrives_later_adds_classes(tmp_path: Path) -> None:
    make_variant(tmp_path / "b")
    source = crops.Crops(tmp_path, mean_share=0.5, seed=1)
    first = source.class_targets()
    make_variant(tmp_path / "a", speed=0.9)
    assert source.refresh() == ["a"] and source.refresh() == []
    assert source.speeds == [1.0, 0.9]
    assert torch.equal(source.class_targets()[: len(first)], first)
    assert len(source.class_targets()) == 2 * len(first)
    _, _, classes = source.batch(64, 100, per_speaker=2)
    assert classes.min() < len(first) <= classes.max()


def test_held_out_trials_tell_speakers_apart(tmp_path: Path) -> None:
    make_variant(tmp_path / "a", n_frames=900)
    held = trials.TrialSet.of_held_out(crops.Variant.load(tmp_path / "a"))
    assert any(t.same for t in held.trials) and not all(t.same for t in held.trials)
    by_speaker = {name: int(name[1:4]) for name in held.features}
    perfect = {name: np.eye(N_SPEAKERS)[s] for name, s in by_speaker.items()}
    assert held.rates(perfect)["all"][0] == 0
    alike = {name: np.ones(2) for name in by_speaker}
    assert held.rates(alike)["all"][0] == pytest.approx(50)


def test_teacher_windows() -> None:
    from train import teacher

    tone = np.sin(np.arange(16000 * 4) * 0.3).astype(np.float32)
    mels = teacher.mel_power(0.001 * tone)
    assert mels.shape == (401, 40)
    loud, louder = teacher.mel_power(0.5 * tone), teacher.mel_power(0.25 * tone)
    assert loud.sum() == pytest.approx(4 * louder.sum(), rel=1e-3)  # loud ones are left alone
    assert teacher.mel_power(0.002 * tone).sum() == pytest.approx(mels.sum(), rel=1e-3)
    assert teacher.cut_windows(mels).shape == (4, 160, 40)
    assert teacher.cut_windows(mels[:100]).shape == (1, 160, 40)


def test_a_variant_is_prepared_from_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("soxr", reason="left out: preparing needs soxr")
    from train import prepare, teacher

    rng = np.random.default_rng(1)
    speech = (rng.normal(size=48000) * 0.1).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", np.concatenate([np.zeros(16000, np.float32), speech]), 16000)
    header = "file,speaker,corpus,start_s,seconds,source\n"
    rows = "a.wav,one,c,0.5,3.5,x\na.wav,two,c,2.0,2.0,x\n"
    (tmp_path / "segments.csv").write_text(header + rows)
    monkeypatch.setattr(teacher, "load", lambda: teacher.Teacher().requires_grad_(False))
    prepare.prepare(tmp_path, tmp_path / "v", speed=0.8, degraded=True, seed=1)
    variant = crops.Variant.load(tmp_path / "v")
    assert variant.speakers.tolist() == ["one", "two"] and variant.speed == 0.8
    seconds = variant.rows[:, 1] / 100
    assert seconds == pytest.approx([(3.0 + 0.05) / 0.8, 2.0 / 0.8], abs=0.1)  # zeros trimmed off
    assert variant.fbank.shape == (variant.rows[:, 1].sum(), 80)
    assert np.linalg.norm(variant.teacher, axis=1) == pytest.approx(1, abs=1e-2)
    assert len(variant.teacher) == variant.rows[:, 3].sum()


# ---- the run --------------------------------------------------------------------------------


@pytest.fixture
def small_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    phase = schedule.Phase(0.0, (1, 1, 1, 1), 40, 8, (4.0, 20.0, 0.1))
    monkeypatch.setitem(schedule.SCHEDULES, "short", (phase,))


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, small_phases: None) -> None:
    make_variant(tmp_path / "data" / "a")
    args = arguments(tmp_path / "data", tmp_path / "run", "--hours", "1")
    first = run.Run(args)
    for _ in range(3):
        first.train_step(0.5)
    first.clock.tick(36.0)
    first.save()
    (tmp_path / "run" / "checkpoint.partial").write_bytes(b"cut off while it was written")
    second = run.Run(args)
    second.resume()
    assert second.step == 3
    assert second.clock.progress(0.0) == pytest.approx(0.01)
    assert second.head.classes == first.head.classes
    for name, value in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value), name
    momenta = [len(o.state_dict()["state"]) for o in second.optimisers]
    assert momenta == [len(o.state_dict()["state"]) for o in first.optimisers]


def test_training_learns_a_batch_by_heart(tmp_path: Path, small_phases: None) -> None:
    make_variant(tmp_path / "data" / "a")
    torch.manual_seed(1)
    training = run.Run(arguments(tmp_path / "data", tmp_path / "run", "--hours", "1"))
    batch = training.crops.batch(8, 40, 2)
    training.crops.batch = lambda *_: batch  # type: ignore[method-assign]
    cosines = [training.train_step(0.3)["cosine"] for _ in range(40)]
    assert np.mean(cosines[:3]) < 0.2 and np.mean(cosines[-3:]) > 0.4


def test_the_schedule_ends_with_a_model(tmp_path: Path, small_phases: None) -> None:
    pytest.importorskip("safetensors", reason="left out: no safetensors (make venv)")
    make_variant(tmp_path / "data" / "a", n_frames=1100)
    args = arguments(tmp_path / "data", tmp_path / "run", "--hours", "0.0003")
    training = run.Run(args)
    sets = {"held-out": trials.TrialSet.of_held_out(training.crops.variants[0])}
    training.train(sets)
    assert (tmp_path / "run" / "model-latest.safetensors").exists()
    assert "held-out,all" in (tmp_path / "run" / "evaluations.csv").read_text()


def test_baselines_tell_timbres_apart(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Two coloured noises, three clips each: the cepstra get all right; what is missing is said."""
    rng = np.random.default_rng(3)
    names = [f"{colour}{i}.wav" for colour in "ab" for i in range(3)]
    for name in names:
        noise = np.convolve(rng.standard_normal(16000), [1.0, 0.9 if name[0] == "a" else -0.9])[:16000]
        soundfile.write(tmp_path / name, noise / 10, 16000)
    lines = [f"{a} {b} {int(a[0] == b[0])}" for i, a in enumerate(names) for b in names[:i]]
    (tmp_path / "trials.txt").write_text("\n".join(lines))

    def missing(_: object) -> None:
        raise ImportError("No module named 'resemblyzer'")

    monkeypatch.setattr(baselines, "of_package", missing)
    monkeypatch.setattr(baselines, "of_teacher", lambda waves: {name: np.ones(2) for name in waves})
    baselines.main(argparse.Namespace(audio=tmp_path))
    rows = capsys.readouterr().out.splitlines()
    assert "left out: No module named" in rows[1]
    assert rows[2].split()[-2:] == ["50.00", "1.000"]
    assert rows[3].split()[-2:] == ["0.00", "0.000"]


@pytest.mark.parametrize("command", [[], ["prepare"], ["run"], ["whiten"], ["export"], ["baselines"]])
def test_help(command: list[str]) -> None:
    pytest.importorskip("scipy", reason="left out: the effects need SciPy")
    pytest.importorskip("soxr", reason="left out: preparing needs soxr")
    done = subprocess.run(
        [sys.executable, str(TOOLS / "train"), *command, "--help"],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == 0 and "usage:" in done.stdout
