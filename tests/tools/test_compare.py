"""tools/compare.py finds each planted fault and names it, and finds none where there is none."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

REASON = "the model tools need PyTorch and ONNX Runtime: make venv"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("torchaudio", reason=REASON)
pytest.importorskip("onnxruntime", reason=REASON)
soundfile = pytest.importorskip("soundfile", reason=REASON)
safetensors_torch = pytest.importorskip("safetensors.torch", reason=REASON)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import compare  # noqa: E402
from vptools import diagnose, resnet  # noqa: E402
from vptools.engines import OnnxEngine, TorchEngine, load_network  # noqa: E402
from vptools.features import fbank, read_samples  # noqa: E402

GOLDEN = ROOT / "tests/golden"
MODELS = GOLDEN / "models"
PLAIN = MODELS / "small.safetensors"
PROGRAM = Path(os.environ.get("VOICEPRINT_BUILD", ROOT / "build/release")) / "voiceprint"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two pieces of the golden voice."""
    folder = tmp_path_factory.mktemp("clips")
    signal = np.load(GOLDEN / "signal.npy")
    for i, start in enumerate((0, 60000)):
        soundfile.write(folder / f"{i}.wav", signal[start : start + 32000], 16000, subtype="PCM_16")
    return sorted(folder.iterdir())


def run(*args: str | Path) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = compare.main([str(arg) for arg in args])
    return status, out.getvalue()


@pytest.mark.parametrize("name", ["tiny-opset14", "tiny-dynamo-opset18", "tiny-shortcut-first",
                                  "tiny-unfolded", "deep-opset14", "bottleneck-opset14"])  # fmt: skip
def test_torch_agrees_with_onnxruntime(clips: list[Path], name: str) -> None:
    model = MODELS / f"{name}.onnx"
    status, out = run(f"torch:{model}", f"onnxruntime:{model}", *clips, "--stages")
    assert status == 0, out
    assert "holds" in out and "differ" not in out and "fault" not in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("fbank", "layer", "pooled"))] == [
        "fbank", "layer1", "layer2", "layer3", "layer4", "pooled",
    ]  # fmt: skip


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program voiceprint is not built")
@pytest.mark.parametrize("name", ["small.safetensors", "tiny.safetensors", "tiny-torch113.onnx", "deep-opset14.onnx"])
def test_our_engine_agrees_with_torch(clips: list[Path], name: str) -> None:
    status, out = run(f"voiceprint:{MODELS / name}", f"torch:{MODELS / name}", *clips, "--stages", "--program", PROGRAM)
    assert status == 0, out
    assert "differ" not in out and "fault" not in out


def test_the_forgotten_mean_vec_is_named(clips: list[Path]) -> None:
    status, out = run(f"torch:{MODELS / 'tiny.safetensors'}", MODELS / "tiny-opset14.onnx", *clips)
    assert status == 1
    assert "embedding" in first_to_differ(out)
    assert "the last layer (seg_1) or mean_vec differs" in out
    assert "weights: seg_1 bias" in out


def first_to_differ(out: str) -> str:
    lines = [line for line in out.splitlines() if "first to differ" in line]
    assert len(lines) == 1, out
    return lines[0]


# ---- faults in the weights: a file in which something is wrong ---------------------------------


def planted_file(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    state = safetensors_torch.load_file(PLAIN)
    change(state)
    path = folder / "planted.safetensors"
    safetensors_torch.save_file({k: v.contiguous() for k, v in state.items()}, path)
    return path


def zero_all(state: dict[str, Any]) -> None:
    for name in state:
        if not name.endswith("running_var"):
            state[name] = torch.zeros_like(state[name])


def lose_bias(name: str) -> Callable[[dict[str, Any]], None]:
    """The convolution's bias, BatchNorm folded, becomes zero."""

    def change(state: dict[str, Any]) -> None:
        scale = state[f"{name}.weight"] / torch.sqrt(state[f"{name}.running_var"] + 1e-5)
        state[f"{name}.bias"] = state[f"{name}.running_mean"] * scale

    return change


def flatten_by_frequency(state: dict[str, Any]) -> None:
    weight = state["seg_1.weight"]
    state["seg_1.weight"] = weight.reshape(len(weight), 2, 64, 10).transpose(2, 3).reshape(weight.shape)


@pytest.mark.parametrize(
    "change, stage, words",
    [
        (zero_all, "conv1", ["the embedding is zero", "conv1 is zero"]),
        (lose_bias("bn1"), "conv1", ["conv1 is shifted", "a bias of its last convolution is lost", "weights: conv1 bias"]),
        (lose_bias("layer2.0.bn1"), "layer2", ["weights: layer2.0.conv1 bias"]),
        (lose_bias("layer3.0.bn2"), "layer3", ["layer3 is shifted", "bias", "weights: layer3.0.conv2 bias"]),
        (lose_bias("layer4.0.shortcut.1"), "layer4", ["layer4 is shifted", "weights: layer4.0.shortcut.0 bias"]),
        (lambda s: s.update({"seg_1.bias": torch.zeros(24)}), "embedding", ["weights: seg_1 bias is zero: lost"]),
        (flatten_by_frequency, "embedding", ["weights: seg_1 weight: flatten order"]),
    ],
)  # fmt: skip
def test_a_fault_in_the_weights(
    tmp_path: Path, clips: list[Path], change: Any, stage: str, words: list[str]
) -> None:
    status, out = run(f"torch:{planted_file(tmp_path, change)}", f"torch:{PLAIN}", *clips)
    assert status == 1
    assert first_to_differ(out).startswith(stage), out
    for word in words:
        assert word in out


# ---- faults in an engine: the weights are right, the computation is not ------------------------


class Planted(TorchEngine):
    """PyTorch with other features, or with other statistics."""

    def __init__(self, features: Callable[..., Any] = fbank, pool: Callable[..., Any] = resnet.statistics) -> None:
        super().__init__(load_network(PLAIN), "planted")
        self.features, self.pool = features, pool

    @torch.no_grad()
    def stages(self, clip: Path) -> dict[str, np.ndarray]:
        feats = self.features(read_samples(clip))
        stages = self.model.stages(feats[None])
        stages["pooled"] = self.pool(stages["layer4"])
        stages["embedding"] = self.model.seg_1(stages["pooled"])
        return {"fbank": feats.numpy()} | {name: x[0].numpy() for name, x in stages.items()}

    def embeddings(self, clips: Any) -> list[np.ndarray]:
        return [self.stages(clip)["embedding"] for clip in clips]


def with_option(**options: Any) -> Callable[..., Any]:
    return lambda samples: fbank(samples, **options)


def biased(x: Any) -> Any:
    std = torch.sqrt(x.var(dim=-1, unbiased=False) + 1e-7)
    return torch.cat((x.mean(dim=-1).flatten(1), std.flatten(1)), 1)


FAULTS = {
    "the window is povey": ({"features": with_option(window_type="povey")}, "fbank"),
    "the window is hanning": ({"features": with_option(window_type="hanning")}, "fbank"),
    "mean over time is not removed": ({"features": with_option(remove_mean=False)}, "fbank"),
    "snip_edges off": ({"features": with_option(snip_edges=False)}, "fbank"),
    "the top edge is 7600 Hz": ({"features": with_option(high_freq=7600.0)}, "fbank"),
    "pre-emphasis is missing": ({"features": with_option(preemphasis_coefficient=0.0)}, "fbank"),
    "flatten order": ({"pool": lambda x: resnet.statistics(x.transpose(1, 2))}, "pooled"),
    "the variance is biased": ({"pool": biased}, "pooled"),
    "before the means": ({"pool": lambda x: resnet.statistics(x).roll(640, 1)}, "pooled"),
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_a_fault_in_the_engine(clips: list[Path], monkeypatch: pytest.MonkeyPatch, sentence: str) -> None:
    options, stage = FAULTS[sentence]
    sides = {"a": Planted(**options), "b": TorchEngine(load_network(PLAIN), "right")}
    monkeypatch.setattr(compare, "side", lambda text, program: (sides[text], PLAIN))
    status, out = run("a", "b", *clips)
    assert status == 1
    assert first_to_differ(out).startswith(stage), out
    faults = [line for line in out.splitlines() if line.startswith("fault: ")]
    assert len(faults) == 1 and sentence in faults[0], out
    assert "weights:" not in out


def test_values_that_are_not_finite_never_pass(clips: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Planted(pool=lambda x: resnet.statistics(x) * float("nan"))
    monkeypatch.setattr(compare, "side", lambda text, program: (broken, PLAIN))
    status, out = run("a", "b", *clips)  # against itself: NaN is close to nothing
    assert status == 1 and "MISSED" in out
    a, b = broken.stages(clips[0]), TorchEngine(load_network(PLAIN), "right").stages(clips[0])
    assert diagnose.explain(a, b, read_samples(clips[0])) == ["pooled has values that are not finite"]


@pytest.mark.parametrize(
    "args, word",
    [
        (["gone.onnx", "gone.onnx"], "no such file"),
        ([f"cobol:{PLAIN}", f"torch:{PLAIN}"], "no engine 'cobol'"),
        ([f"torch:{GOLDEN / 'signal.npy'}", f"torch:{PLAIN}"], "not a PyTorch checkpoint"),
    ],
)
def test_a_side_that_cannot_run(clips: list[Path], args: list[str], word: str) -> None:
    status, out = run(*args, *clips)
    assert status == 2 and word in out and "Traceback" not in out


def test_clips_that_need_a_resampler_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "8k.wav", np.zeros(8000, np.float32), 8000)
    status, out = run(f"torch:{PLAIN}", f"torch:{PLAIN}", tmp_path / "8k.wav")
    assert status == 2 and "8000 Hz" in out


def test_stages_of_a_graph_are_found_by_shape() -> None:
    """Taps of ONNX Runtime are found by walking: the same places in every spelling."""
    for path in sorted(MODELS.glob("*.onnx")):
        taps = OnnxEngine(path).taps
        assert list(taps) == ["conv1", "layer1", "layer2", "layer3", "layer4", "pooled", "embedding"], path.name
