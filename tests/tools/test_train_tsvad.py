"""The training of the TS-VAD network: conversations, features by definition, a run, the file."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="left out: the training needs PyTorch (make venv)")
for package in ("torchaudio", "soundfile", "soxr", "scipy", "safetensors"):
    pytest.importorskip(package, reason=f"left out: the training needs {package} (make venv)")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from scipy import ndimage  # noqa: E402
from train.tsvad import export, features, net, prepare, run, simulate  # noqa: E402
from train.vad import net as vad_net  # noqa: E402
from train.vad import simulate as vad_simulate  # noqa: E402
from train.vad import sounds  # noqa: E402
from vptools import resnet  # noqa: E402

HOP = sounds.HOP


def noise(gains: np.ndarray, seed: int) -> np.ndarray:
    """Noise with that gain in each hop."""
    return np.random.default_rng(seed).standard_normal(len(gains) * HOP) * np.repeat(gains, HOP)


@pytest.fixture(scope="module")
def world() -> vad_simulate.Sounds:
    """Five talkers, each of two utterances of loud words; one who says too little."""
    gains = np.full(300, 1e-4)
    gains[30:120] = gains[190:270] = 0.1
    spoken = sounds.find_speech(noise(gains, 1))
    speakers = [
        [sounds.Segment(sounds.to_int16(noise(gains, 10 * talker + i)), spoken) for i in range(2)]
        for talker in range(5)
    ]
    kinds = {kind: [noise(np.full(60, 0.1), 7)] for kind in ("music", "human", "event", "ambience")}
    pause = sounds.to_int16(noise(np.full(30, 0.01), 8))
    return vad_simulate.Sounds([*speakers, [speakers[0][0]]], [pause], kinds)


@pytest.fixture(scope="module")
def embedder() -> resnet.ResNet:
    """A shallow network with the trunk of the real one."""
    torch.manual_seed(3)
    return resnet.ResNet(resnet.Architecture(blocks=(1, 1, 1, 1))).eval()


# ---- conversations --------------------------------------------------------------------------


def test_who_said_little_takes_no_part(world: vad_simulate.Sounds) -> None:
    chosen = [simulate.choose(world.speakers, np.random.default_rng(seed)) for seed in range(60)]
    assert {len(voices) for voices in chosen} == {1, 2, 3, 4}
    for voices in chosen:
        assert all(len(voice) == 2 for voice in voices)
        assert len({id(voice) for voice in voices}) == len(voices)


def test_labels_lie_where_each_talker_is_loud(world: vad_simulate.Sounds) -> None:
    together = 0
    for seed in range(6):
        tracks = simulate.talk(world.speakers[:3], np.random.default_rng(seed))
        loud = np.sqrt(np.square(tracks.samples).reshape(3, -1, HOP).mean(2)) > 0.03
        assert loud.any(1).all()
        assert not (loud & ~tracks.speech).any()
        # Labels are ENDS_HOPS wider, and a part may begin with the pause before a word.
        near = ndimage.binary_dilation(loud, np.ones((1, 2 * sounds.ENDS_HOPS + 5)))
        assert (tracks.speech & ~near).sum() <= 0.02 * tracks.speech.sum()
        together += (loud.sum(0) > 1).sum()
    assert together > 100  # overlaps happen


@pytest.mark.parametrize("noisy", [False, True])
def test_conversations_are_repeatable_and_louder_where_labelled(
    world: vad_simulate.Sounds, noisy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("background", "events"):
        monkeypatch.setattr(simulate, name, lambda *_: np.zeros(vad_simulate.N))
    for seed in range(6):
        samples, labels = simulate.conversation(world, np.random.default_rng(seed), noisy)
        again, _ = simulate.conversation(world, np.random.default_rng(seed), noisy)
        np.testing.assert_array_equal(samples, again)
        assert samples.shape == (vad_simulate.N,) and samples.dtype == np.float32
        assert labels.shape[0] in (1, 2, 3, 4) and labels.shape[1] == vad_simulate.N_HOPS
        power = np.square(samples.astype(float)).reshape(-1, HOP).mean(1)
        assert power[labels.any(0)].mean() > 4 * power[~labels.any(0)].mean()


def test_a_20_ms_label_is_any_of_its_hops_and_nobody_beyond_the_talkers() -> None:
    labels = np.zeros((2, vad_simulate.N_HOPS), dtype=bool)
    labels[1, [7, 2999]] = True
    steps = prepare.steps(labels)
    assert steps.shape == (simulate.MOST_TALKERS, prepare.T, net.STEPS)
    np.testing.assert_array_equal(np.argwhere(steps), [[1, 0, 3], [1, 374, 3]])


# ---- features -------------------------------------------------------------------------------


@torch.no_grad()
def test_trunk_frames_are_those_of_their_stretch(embedder: resnet.ResNet) -> None:
    fbanks = torch.randn(1063, 80) + torch.linspace(0, 5, 1063)[:, None]  # 133 frames of the trunk
    trunk = features.trunk(embedder, fbanks)
    assert trunk.shape == (133, net.N_TRUNK)
    for first, end, keep in ((0, 544, slice(0, 64)), (480, 1056, slice(4, 68)), (992, 1063, slice(4, 9))):
        part = fbanks[first:end]
        layer4 = embedder.stages((part - part.mean(0))[None])["layer4"][0]
        expected = layer4.reshape(net.N_TRUNK, -1).T[keep]
        at = first // 8 + keep.start
        torch.testing.assert_close(trunk[at : at + len(expected)], expected)


@torch.no_grad()
def test_embeddings_are_of_the_frames_about_each_one(embedder: resnet.ResNet) -> None:
    trunk = torch.randn(25, net.N_TRUNK).relu()
    embeddings = features.embeddings(embedder, trunk)
    assert embeddings.shape == (25, 4, 256)
    for t in (0, 2, 12, 24):
        for scale, half in enumerate(net.SCALES):
            window = trunk[max(0, t - half) : t + half + 1]
            expected = embedder.seg_1(resnet.statistics(window.T.reshape(1, 256, 10, -1)))[0]
            torch.testing.assert_close(embeddings[t, scale], expected / expected.norm(), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_speech_detectors_last_value_goes_on() -> None:
    detector = vad_net.load(load_file(ROOT / "models" / "vad.safetensors"))
    fbanks = torch.randn(205, 80) + 8  # 103 steps, for 26 frames of 4
    values = features.vad(detector, fbanks, 26)
    assert values.shape == (26, 4) and values[-1, 3] == values[-1, 2]
    p = torch.sigmoid(detector(fbanks[None])[0].double()).clamp(1e-4, 1 - 1e-4)
    torch.testing.assert_close(values.flatten()[:103].double(), torch.logit(p) / 4, atol=1e-4, rtol=1e-3)


def test_rivals_are_the_other_voices_that_are_there() -> None:
    cosines = torch.rand(2, 4, 9, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    present = torch.tensor([[True, True, True, True], [True, False, True, False]])
    found = net.rivals(cosines, present)
    for b in range(2):
        for k in range(4):
            others = [j for j in range(4) if j != k and present[b, j]]
            torch.testing.assert_close(found[b, k], cosines[b, others].amax(0).clamp_min(-0.3))
    assert (net.rivals(cosines[:, :1]) == net.NO_OTHER).all()
    torch.testing.assert_close(net.rivals(cosines)[0], found[0])


# ---- network --------------------------------------------------------------------------------


@torch.no_grad()
def test_a_frame_goes_in_in_the_order_that_the_engine_has() -> None:
    torch.manual_seed(1)
    model = net.TsVad().eval()
    cosines, vad, trunk = torch.rand(2, 3, 11, 4), torch.randn(2, 11, 4), torch.randn(2, 11, net.N_TRUNK)
    x = model.inputs(cosines, net.rivals(cosines), vad, trunk)
    assert x.shape == (2, 3, 11, 28)
    proj = (trunk @ model.proj.weight.T + model.proj.bias).clamp_min(0)
    for k in range(3):
        whole = torch.cat([cosines[:, k], net.rivals(cosines)[:, k], vad, proj], 2)
        torch.testing.assert_close(x[:, k], whole)


@torch.no_grad()
def test_logits_of_a_recording_are_those_of_the_network(embedder: resnet.ResNet) -> None:
    torch.manual_seed(2)
    model = net.TsVad().eval()
    trunk, vad = torch.randn(30, net.N_TRUNK).relu(), torch.randn(30, 4)
    embeddings = features.embeddings(embedder, trunk)
    voices = torch.nn.functional.normalize(torch.randn(2, 256))
    logits = net.logits(model, embeddings, voices, vad, trunk)
    assert logits.shape == (2, 120)
    cosines = torch.stack([embeddings @ voice for voice in voices])[None]
    swapped = model(cosines, cosines.flip(1).clamp_min(-0.3), vad[None], trunk[None])
    torch.testing.assert_close(logits, swapped.reshape(2, 120), atol=1e-4, rtol=1e-4)


# ---- run ------------------------------------------------------------------------------------


def make_data(folder: Path, n: int = 5, n_frames: int = 120) -> None:
    """Two talkers in turns and at once; the embeddings say who, the speech detector whether."""
    rng = np.random.default_rng(4)
    labels = np.zeros((n, simulate.MOST_TALKERS, n_frames, net.STEPS), dtype=bool)
    labels[:, :2] = np.repeat(rng.random((n, 2, n_frames // 10)) < 0.5, 10, axis=2)[..., None]
    voices = rng.normal(size=(n, simulate.MOST_TALKERS, 256)) / 16
    heard = np.einsum("nkt,nkd->ntd", labels.mean(3), voices)[:, :, None]
    embeddings = heard + rng.normal(size=(n, n_frames, 4, 256)) / 40
    embeddings /= np.linalg.norm(embeddings, axis=3, keepdims=True)
    folder.mkdir()
    np.save(folder / "embeddings.npy", embeddings.astype(np.float16))
    np.save(folder / "labels.npy", labels)
    np.save(folder / "vad.npy", np.where(labels.any(1), 1.5, -1.5).astype(np.float16))
    np.save(folder / "trunk.npy", rng.random((n, n_frames, net.N_TRUNK)).astype(np.float16))
    (folder / "model_digest.txt").write_text("sha256:" + "ab" * 32 + "\n")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "BATCH", 4)
    monkeypatch.setattr(run, "CROP_FRAMES", 50)
    make_data(tmp_path / "data")
    return tmp_path / "data"


def test_a_voice_is_of_its_talker_and_needs_speech(data: Path) -> None:
    conversations = run.Conversations(data)
    embeddings, labels = conversations.embeddings[0].astype(np.float32), conversations.labels[0]
    spoken = labels[:, :, 0]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        voices = np.stack([run.voice(embeddings, labels, talker, rng) for talker in range(4)])
        np.testing.assert_allclose(np.linalg.norm(voices, axis=1), [1, 1, 0, 0], atol=1e-5)
        cosines = embeddings[:, 3] @ voices[:2].T  # [T, 2]
        for talker in range(2):
            alone = spoken[talker] & ~spoken[1 - talker]
            assert cosines[alone, talker].mean() > cosines[alone, 1 - talker].mean() + 0.2


def test_a_few_steps_lower_the_loss_and_absent_talkers_do_not_count(data: Path) -> None:
    torch.manual_seed(5)
    conversations, model = run.Conversations(data), net.TsVad()
    batch = conversations.batch(np.random.default_rng(1))
    assert batch.cosines.shape == batch.labels.shape == (4, 4, 50, 4)
    assert batch.present.tolist() == [[True, True, False, False]] * 4
    first = run.loss(model.eval(), batch)
    batch.labels[:, 2:] = 1
    torch.testing.assert_close(run.loss(model, batch), first)
    optimizer = torch.optim.AdamW(model.train().parameters(), run.RATE)
    rng = np.random.default_rng(2)
    for _ in range(40):
        optimizer.zero_grad()
        run.loss(model, conversations.batch(rng)).backward()
        optimizer.step()
    assert run.loss(model.eval(), batch) < 0.5 * first


def arguments(*given: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return parser.parse_args([str(x) for x in given])


def test_a_run_goes_on_where_it_was_stopped(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data.parent / "run"
    run.main(arguments(data, out, "--minutes", 0.01))
    steps = torch.load(out / "checkpoint.pt")["step"]
    assert f"step {steps}: loss" in capsys.readouterr().out
    run.main(arguments(data, out, "--minutes", 0.01))
    assert "step" not in capsys.readouterr().out  # it has had its time
    run.main(arguments(data, out, "--minutes", 0.05))
    state = torch.load(out / "checkpoint.pt")
    assert state["step"] > steps > 0 and state["trained_s"] >= 3
    with safe_open(out / "tsvad.safetensors", "pt") as file:
        assert file.metadata()["model_digest"] == "sha256:" + "ab" * 32
    (data / "model_digest.txt").write_text("sha256:" + "cd" * 32)
    with pytest.raises(SystemExit, match="another embedding model"):
        run.main(arguments(data, out, "--minutes", 0.06))


def test_what_is_prepared_can_be_trained_on(
    world: vad_simulate.Sounds, embedder: resnet.ResNet, tmp_path: Path
) -> None:
    prepare.write(tmp_path, world, 3, 1, embedder, vad_net.Vad().eval())
    (tmp_path / "model_digest.txt").write_text("sha256:0\n")
    conversations = run.Conversations(tmp_path)
    assert conversations.trunk.shape == (3, 375, 2560) and conversations.vad.shape == (3, 375, 4)
    assert conversations.embeddings.shape == (3, 375, 4, 256) and conversations.labels.shape == (3, 4, 375, 4)
    lengths = np.linalg.norm(conversations.embeddings.astype(np.float32), axis=3)
    np.testing.assert_allclose(lengths, 1, atol=2e-3)
    assert torch.isfinite(run.loss(net.TsVad(), conversations.batch(np.random.default_rng(1))))


# ---- the file -------------------------------------------------------------------------------


@torch.no_grad()
def test_the_file_computes_what_was_trained_and_names_its_model(tmp_path: Path) -> None:
    torch.manual_seed(6)
    model = net.TsVad().eval()
    torch.save(model.state_dict(), tmp_path / "state.pt")
    (tmp_path / "model.safetensors").write_bytes(b"an embedding model")
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    paths = [tmp_path / name for name in ("state.pt", "tsvad.safetensors", "model.safetensors")]
    export.main(parser.parse_args([str(paths[0]), str(paths[1]), "--model", str(paths[2])]))
    with safe_open(paths[1], "pt") as file:
        metadata = file.metadata()
    assert metadata["name"] == "tsvad-1"
    assert metadata["model_digest"] == "sha256:" + hashlib.sha256(b"an embedding model").hexdigest()
    tensors = load_file(paths[1])
    layers = ("proj", "inp", "mid.0", "mid.1", "mid.2", "mid.3", "out")
    assert set(tensors) == {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    assert {x.dtype for x in tensors.values()} == {torch.float16}
    cosines, vad, trunk = torch.rand(1, 2, 40, 4), torch.randn(1, 40, 4), torch.rand(1, 40, net.N_TRUNK)
    inputs = (cosines, net.rivals(cosines), vad, trunk)
    torch.testing.assert_close(net.load(tensors)(*inputs), model(*inputs), atol=2e-3, rtol=2e-3)


def test_what_is_not_the_network_is_not_written(tmp_path: Path) -> None:
    state = net.TsVad().state_dict()
    with pytest.raises(SystemExit, match="not finite as float16: inp.bias"):
        export.export({**state, "inp.bias": state["inp.bias"] + 1e6}, "sha256:0", tmp_path / "x.safetensors")
    del state["mid.3.bias"]
    with pytest.raises(RuntimeError, match="mid.3.bias"):
        export.export(state, "sha256:0", tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_the_goldens_are_what_pytorch_says() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tests/reference/tsvad_golden.py"), "--check"],
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
