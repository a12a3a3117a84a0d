"""What the fallback model is trained and judged on: features, crops, the speakers left out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="left out: the training needs PyTorch (make venv)")
pytest.importorskip("torchaudio", reason="left out: the training needs torchaudio (make venv)")
pytest.importorskip("soundfile", reason="left out: the training needs soundfile (make venv)")

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from made_up_speech import N_SPEAKERS, make_variant, untrained_teacher, write_corpus  # noqa: E402
from train import crops, left_out, teacher, trials  # noqa: E402
from train.augment import add, augment, babble, band_limit, level, mask, narrow, silence  # noqa: E402
from train.student import Student  # noqa: E402


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


# ---- data --------------------------------------------------------------------------------------


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
    assert [variant.speed for variant in source.variants] == [1.0, 0.9]
    again = crops.Crops(tmp_path, mean_share=0.5, seed=1)
    assert again.names == ["b", "a"], "classes keep their numbers when a run is started again"
    assert torch.equal(source.class_targets()[: len(first)], first)
    assert len(source.class_targets()) == 2 * len(first)
    _, _, classes = source.batch(64, 100, per_speaker=2)
    assert classes.min() < len(first) <= classes.max()


def test_a_degraded_crop_is_of_the_same_speech(tmp_path: Path) -> None:
    make_variant(tmp_path / "a")
    variant = crops.Variant.load(tmp_path / "a")
    apart = variant.crop(3, 20, 50, degraded=True) - variant.crop(3, 20, 50)
    assert apart == pytest.approx(0.125, abs=0.01)


def test_a_crop_knows_the_windows_that_it_lies_in() -> None:
    vectors = np.arange(4, dtype=np.float32)[:, None] * np.ones((1, 256), np.float32)
    rows = np.array([[0, 300, 0, 1], [300, 900, 1, 3]])
    variant = crops.Variant(np.zeros(0), np.zeros(0), vectors, rows, np.array(["a", "b"]), np.array(["c"] * 2), 1.0)
    assert variant.heard(0, 90, 210)[0] == 0
    assert variant.heard(1, 0, 160)[0] == 1
    assert variant.heard(1, 230, 160)[0] == 1.5  # 283 to 336: of both
    assert variant.heard(1, 620, 280)[0] == 3


def test_teacher_windows_and_space() -> None:
    feats = np.random.default_rng(1).normal(size=(1000, 80)).astype(np.float32)
    windows = teacher.cut_windows(feats)
    assert windows.shape == (4, 300, 80)
    assert windows.mean(1) == pytest.approx(0, abs=1e-5)
    assert windows[3] - windows[3].mean(0) == pytest.approx(feats[700:] - feats[700:].mean(0), abs=1e-5)
    assert teacher.cut_windows(feats[:600]).shape == (2, 300, 80)
    short = teacher.cut_windows(feats[:100])
    assert short.shape == (1, 300, 80) and np.array_equal(short[0, :100], short[0, 100:200])
    vectors = np.random.default_rng(2).normal(size=(5, teacher.DIM))
    turned = teacher.to_student(vectors)
    assert turned.shape == (5, 256) and turned @ turned.T == pytest.approx(vectors @ vectors.T, rel=1e-5)


def test_a_missing_teacher_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="none.pt.*make model-campplus"):
        teacher.load(tmp_path / "none.pt")


def test_a_speed_is_prepared_from_recordings_and_goes_on_where_it_was(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("soxr", reason="left out: preparing needs soxr")
    from train import prepare

    monkeypatch.setattr(prepare, "GROUP", 2)
    write_corpus(tmp_path, {"one": [3.0], "two": [1.0, 1.0], "zoe": [9.0]})
    network, whole_group = untrained_teacher(), prepare.prepare_group
    prepare.prepare(tmp_path, tmp_path / "v", network, speed=0.8, seed=1)
    variant = crops.Variant.load(tmp_path / "v")
    assert variant.speakers.tolist() == ["one", "two", "zoe"] and variant.speed == 0.8
    assert variant.rows[:, 1] / 100 == pytest.approx([3.0 / 0.8, 2.0 / 0.8, 9.0 / 0.8], abs=0.15)
    assert variant.rows[:, 3].tolist() == [2, 1, 4]
    assert variant.fbank.shape == variant.degraded.shape == (variant.rows[:, 1].sum(), 80)
    assert len(variant.teacher) == variant.rows[:, 3].sum()
    assert variant.rows[1:, 0].tolist() == np.cumsum(variant.rows[:-1, 1]).tolist()
    assert variant.rows[1:, 2].tolist() == np.cumsum(variant.rows[:-1, 3]).tolist()
    assert np.abs(variant.degraded - variant.fbank).max() > 1

    calls = []

    def killed_in_the_second_group(source, speakers, *rest):  # type: ignore[no-untyped-def]
        calls.append(list(speakers))
        if calls == [["one", "two"], ["zoe"]]:
            raise KeyboardInterrupt
        return whole_group(source, speakers, *rest)

    monkeypatch.setattr(prepare, "prepare_group", killed_in_the_second_group)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(tmp_path, tmp_path / "w", network, speed=0.8, seed=1)
    assert not (tmp_path / "w" / "index.npz").exists()
    prepare.prepare(tmp_path, tmp_path / "w", network, speed=0.8, seed=1)
    assert calls == [["one", "two"], ["zoe"], ["zoe"]]
    for name in ("fbank", "degraded", "teacher"):
        assert (tmp_path / "w" / f"{name}.npy").read_bytes() == (tmp_path / "v" / f"{name}.npy").read_bytes()
    assert not list((tmp_path / "w").glob("part*"))


# ---- the speakers left out ------------------------------------------------------------------


def test_pitch_of_a_buzz() -> None:
    n = np.arange(32000)
    for hz in (80, 125, 250, 400):
        assert left_out.pitch_hz(np.sin(2 * np.pi * hz * n / 16000) ** 9) == pytest.approx(hz, rel=0.03)


def clip(speaker: str, number: int, sitting: str = "", recording: str = "") -> left_out.Clip:
    recording = recording or str(number)
    return left_out.Clip(f"{speaker}-{number}", speaker, "c", sitting, recording, number % 2 == 1, np.zeros(0))


def names_of(pairs: list[tuple[left_out.Clip, left_out.Clip]]) -> set[tuple[str, str]]:
    return {(a.name, b.name) for a, b in pairs}


def test_one_voice_is_compared_clean_with_degraded_and_across_sittings_where_there_are_any() -> None:
    several = [clip("a", 0, "x"), clip("a", 1, "x"), clip("a", 2, "y"), clip("a", 3, "y")]
    assert names_of(left_out.pairs_of_one(several)) == {("a-3", "a-0"), ("a-2", "a-1")}
    one = [clip("a", 0, "x", "r"), clip("a", 1, "x", "r"), clip("a", 2, "x", "s")]
    assert names_of(left_out.pairs_of_one(one)) == {("a-2", "a-1")}
    assert names_of(left_out.pairs_of_one([clip("a", 0, "x", "r"), clip("a", 1, "x", "r")])) == {("a-1", "a-0")}


def test_two_voices_are_neighbours_in_pitch_in_one_condition() -> None:
    clips = [clip(speaker, k) for speaker in "abcdefgh" for k in range(5)]
    pitch = {speaker: 100.0 + 20 * i for i, speaker in enumerate("hcafbged")}
    made = left_out.make_trials(clips, pitch, np.random.default_rng(1))
    ranks = {speaker: i for i, speaker in enumerate("hcafbged")}
    others = [t for t in made if not t.same]
    apart = [abs(ranks[t.a[0]] - ranks[t.b[0]]) for t in others]
    assert set(apart) == {1, 2, 3} and len(apart) == 10 * (7 + 6 + 5)
    assert all(int(t.a[2]) % 2 == int(t.b[2]) % 2 for t in others)
    ones = [t for t in made if t.same]
    assert len(ones) == 8 * 6 and all(t.a[0] == t.b[0] and t.a != t.b for t in ones)


def test_clips_are_cut_and_joined_to_length(tmp_path: Path) -> None:
    from train import prepare

    write_corpus(tmp_path, {"long": [14.0], "words": [1.0] * 6, "few": [1.0]})
    segments = prepare.read_segments(tmp_path / "segments.csv")
    cut = {name: left_out.clips_of(tmp_path, name, parts) for name, parts in segments.items()}
    assert [len(c.samples) / 16000 for c in cut["long"]] == pytest.approx([14 / 3] * 3, abs=0.1)
    assert [len(c.samples) / 16000 for c in cut["words"]] == pytest.approx([2.0] * 3, abs=0.15)
    assert cut["few"] == []
    assert [c.degraded for c in cut["words"]] == [False, True, False]
    again = left_out.clips_of(tmp_path, "words", segments["words"])
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(cut["words"], again))
    assert max(np.abs(c.samples).max() for c in cut["words"]) <= 1


def test_the_left_out_folder_is_read_by_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path, {f"s{i:02}": [3.0, 3.0, 2.5] for i in range(40)})
    monkeypatch.setattr(teacher, "load", lambda _: untrained_teacher())
    out = tmp_path / "left-out"
    left_out.main(argparse.Namespace(source=tmp_path, out=out, teacher=tmp_path))
    voices = trials.TrialSet.of_folder(out)
    speakers = {name.split("-")[0] for name in voices.features}
    assert speakers == {"s03", "s19", "s35"}, "the speakers that crops.py leaves out, and no other"
    assert any(t.same for t in voices.trials) and not all(t.same for t in voices.trials)
    perfect = {name: np.eye(40)[int(name[1:3])] for name in voices.features}
    assert voices.rates(perfect)["all"][0] == 0
    assert voices.rates({name: np.ones(2) for name in voices.features})["all"][0] == pytest.approx(50)
    centre = np.full(256, 0.1, np.float32)
    alike = {name: 3 * (vector - centre) for name, vector in voices.teacher.items()}
    assert voices.likeness(alike, centre) == pytest.approx(1) and len(alike) == len(voices.features)


def test_whitening_is_chosen_on_the_speakers_left_out() -> None:
    """Here speakers differ in one value that hardly varies within them, and noise fills another."""
    from train import whiten

    rng = np.random.default_rng(4)

    def clips(n: int) -> np.ndarray:
        out = rng.normal(size=(n, 4, 8)) * np.array([0.1, 9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
        return out + np.sign(rng.normal(size=(n, 1, 8))) * np.array([1, 0, 1, 1, 1, 1, 1, 1])

    held = clips(12)
    voices = trials.TrialSet(corpus={f"{s}-{k}": "c" for s in range(12) for k in range(4)})
    names = list(voices.corpus)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[:i]]
    voices.trials = [trials.Trial(a, b, a.split("-")[0] == b.split("-")[0]) for a, b in pairs]
    found = {f"{s}-{k}": held[s, k] for s in range(12) for k in range(4)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whiten, "embed", lambda *_: found)
        best, (centre, transform) = whiten.choose(clips(300), Student(), voices)
    assert best != "none"
    turned = {name: (vector - centre) @ transform for name, vector in found.items()}
    assert voices.rates(turned)["all"][0] < voices.rates(found)["all"][0] - 5
