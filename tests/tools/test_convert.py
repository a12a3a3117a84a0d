"""tools/convert.py on files of every published structure, and on files that must be refused."""

from __future__ import annotations

import collections
import contextlib
import enum
import io
import os
import pickle
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

REASON = "the model tools need PyTorch and ONNX Runtime: make venv"
torch = pytest.importorskip("torch", reason=REASON)
onnx = pytest.importorskip("onnx", reason=REASON)
pytest.importorskip("onnxruntime", reason=REASON)
safetensors_torch = pytest.importorskip("safetensors.torch", reason=REASON)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import convert as convert_tool  # noqa: E402
from vptools.resnet import Architecture, ResNet, load  # noqa: E402

MODELS = ROOT / "tests/golden/models"
ONNX = sorted(path.name for path in MODELS.glob("*.onnx"))


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


PROGRAM = Path(os.environ.get("VOICEPRINT_BUILD", ROOT / "build/release")) / "voiceprint"


def convert(source: Path, *options: str) -> Done:
    """The tool in this process: starting PyTorch anew for each case takes seconds."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = convert_tool.main([str(source), "--program", str(PROGRAM), *options])
    return Done(status, out.getvalue(), err.getvalue())


def refused(source: Path, *words: str) -> None:
    """Exit status 1, a sentence with these words, and nothing left behind."""
    before = set(source.parent.iterdir())
    done = convert(source)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("convert: ")
    for word in words:
        assert word in done.stderr
    assert set(source.parent.iterdir()) == before


@pytest.fixture()
def state() -> dict[str, Any]:
    """A whole state dict, counters included, as torch saves it."""
    plain = safetensors_torch.load_file(MODELS / "tiny.safetensors")
    return dict(load(plain).state_dict())


def embedding(path: Path) -> np.ndarray:
    feats = torch.from_numpy(np.load(ROOT / "tests/golden/t050/fbank.npy"))[None]
    with torch.no_grad():
        return load(safetensors_torch.load_file(path))(feats)[0].numpy()


def assert_is_tiny(path: Path, row: int) -> None:
    np.testing.assert_allclose(embedding(path), np.load(MODELS / "tiny-embeddings.npy")[row], atol=1e-5)


def test_wespeaker_checkpoint_with_its_training_head(tmp_path: Path, state: dict[str, Any]) -> None:
    state["projection.weight"] = torch.randn(100, 8)
    torch.save(state, tmp_path / "avg_model.pt")
    done = convert(tmp_path / "avg_model.pt")
    assert done.returncode == 0, done.stderr
    assert "62 tensors of 62: basic blocks 1 1 1 1, 2 channels, 80 mels, 8 dimensions" in done.stdout
    assert "dropped, training head: projection.weight" in done.stdout
    assert "12 num_batches_tracked" in done.stdout
    assert "layer2.0.shortcut.0.weight" in done.stdout
    assert ("voiceprint on avg_model.safetensors agree" in done.stdout) == PROGRAM.exists()
    assert_is_tiny(tmp_path / "avg_model.safetensors", 0)


@pytest.mark.parametrize("zipped", [True, False])
def test_both_file_formats_of_torch(tmp_path: Path, state: dict[str, Any], zipped: bool) -> None:
    torch.save(state, tmp_path / "m.ckpt", _use_new_zipfile_serialization=zipped)
    done = convert(tmp_path / "m.ckpt", "-q")
    assert done.returncode == 0, done.stderr
    assert_is_tiny(tmp_path / "m.safetensors", 0)


@pytest.fixture()
def pyannote_classes() -> Iterator[types.ModuleType]:
    """Classes of a module that exists while the file is saved and not when it is read."""
    module = types.ModuleType("pyannote_like_task")

    class Problem(enum.Enum):
        REPRESENTATION = 3

    @dataclass
    class Specifications:
        problem: Problem
        duration: float
        classes: list[str]

    for cls in (Problem, Specifications):
        cls.__module__, cls.__qualname__ = module.__name__, cls.__name__
        setattr(module, cls.__name__, cls)
    sys.modules[module.__name__] = module
    yield module
    sys.modules.pop(module.__name__, None)


def test_pyannote_checkpoint_beside_foreign_classes(
    tmp_path: Path, state: dict[str, Any], pyannote_classes: Any
) -> None:
    specifications = pyannote_classes.Specifications(pyannote_classes.Problem.REPRESENTATION, 5.0, ["a"])
    saved = {
        "state_dict": {f"resnet.{name}": tensor for name, tensor in state.items()},
        "pyannote.audio": {"versions": {"torch": "1.13"}, "specifications": specifications},
        "pytorch-lightning_version": "1.9.0",
        "hyper_parameters": {"sample_rate": 16000, "lr": np.float64(1e-3)},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
    }
    torch.save(saved, tmp_path / "pytorch_model.bin")
    done = convert(tmp_path / "pytorch_model.bin")
    assert done.returncode == 0, done.stderr
    assert "names stood behind 'resnet.'" in done.stdout
    assert "pyannote.audio" in done.stdout
    assert_is_tiny(tmp_path / "pytorch_model.safetensors", 0)


def test_lightning_checkpoint(tmp_path: Path, state: dict[str, Any]) -> None:
    """A .ckpt as Lightning leaves it in mid-training: callbacks with paths and devices, schedulers,
    an optimiser's tensors, the training head behind the model's own prefix."""
    saved = {
        "epoch": 149, "global_step": 100_000, "pytorch-lightning_version": "1.8.6", "loops": {"fit_loop": {}},
        "callbacks": {"ModelCheckpoint{'monitor': 'eer'}": {
            "best_model_score": torch.tensor(0.7), "dirpath": Path("exp"), "device": torch.device("cpu")}},
        "optimizer_states": [{"state": {0: {"momentum_buffer": torch.zeros(4)}}, "param_groups": [{"lr": 1e-4}]}],
        "lr_schedulers": [collections.Counter(step=3)],
        "state_dict": {f"resnet.{name}": tensor for name, tensor in state.items()}
        | {"resnet.projection.weight": torch.randn(100, 8)},
    }
    torch.save(saved, tmp_path / "epoch=149.ckpt")
    done = convert(tmp_path / "epoch=149.ckpt")
    assert done.returncode == 0, done.stderr
    assert "62 tensors of 62" in done.stdout
    assert "dropped, training head: resnet.projection.weight" in done.stdout
    assert "not looked into, beside the state dict: callbacks, epoch" in done.stdout
    assert_is_tiny(tmp_path / "epoch=149.safetensors", 0)


def test_bottleneck_checkpoint_with_its_training_head(tmp_path: Path) -> None:
    """ResNet50 and deeper as WeSpeaker publishes them."""
    net = load(safetensors_torch.load_file(MODELS / "bottleneck.safetensors"))
    torch.save(dict(net.state_dict()) | {"projection.weight": torch.randn(100, 8)}, tmp_path / "avg_model.pt")
    done = convert(tmp_path / "avg_model.pt")
    assert done.returncode == 0, done.stderr
    assert "bottleneck blocks 1 1 2 1" in done.stdout
    assert "dropped, training head: projection.weight" in done.stdout
    np.testing.assert_allclose(embedding(tmp_path / "avg_model.safetensors"),
                               np.load(MODELS / "bottleneck-embeddings.npy")[0], atol=1e-5)


@pytest.mark.parametrize("name", ONNX)
def test_every_onnx_spelling(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.safetensors"
    done = convert(MODELS / name, "-o", str(out), "-q")
    assert done.returncode == 0, done.stderr
    assert "verified: ONNX Runtime on the source" in done.stdout
    expected = np.load(MODELS / f"{name.split('-')[0]}-embeddings.npy")[1]  # mean_vec included
    np.testing.assert_allclose(embedding(out), expected, atol=1e-5)


def test_as_a_program(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "tools/convert.py")]
    helped = subprocess.run([*program, "--help"], capture_output=True, text=True, timeout=100, check=True)
    assert "avg_model.pt" in helped.stdout
    done = subprocess.run([*program, str(tmp_path / "gone.pt")], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert "gone.pt" in done.stderr and "Traceback" not in done.stderr


def test_resnet34_has_182_tensors(tmp_path: Path) -> None:
    torch.manual_seed(1)
    torch.save(ResNet(Architecture()).state_dict(), tmp_path / "m.pt")
    done = convert(tmp_path / "m.pt", "-q", "--name", "thirty four")
    assert "182 tensors of 182: basic blocks 3 4 6 3, 32 channels, 80 mels, 256 dimensions" in done.stdout
    with safetensors_torch.safe_open(tmp_path / "m.safetensors", "pt") as file:
        assert len(file.keys()) == 182
        assert file.metadata()["name"] == "thirty four"
        assert file.metadata()["source"] == "m.pt"


def test_half_precision_is_widened(tmp_path: Path, state: dict[str, Any]) -> None:
    halved = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    torch.save(halved, tmp_path / "m.pt")
    assert convert(tmp_path / "m.pt").returncode == 0
    written = safetensors_torch.load_file(tmp_path / "m.safetensors")
    assert written["conv1.weight"].dtype == torch.float32
    assert torch.equal(written["conv1.weight"], state["conv1.weight"].half().float())


def test_an_existing_file_stays(tmp_path: Path, state: dict[str, Any]) -> None:
    torch.save(state, tmp_path / "m.pt")
    (tmp_path / "m.safetensors").write_text("precious")
    refused(tmp_path / "m.pt", "exists", "--force")
    assert (tmp_path / "m.safetensors").read_text() == "precious"
    assert convert(tmp_path / "m.pt", "--force").returncode == 0


def test_an_engine_that_answers_otherwise_keeps_nothing(tmp_path: Path, state: dict[str, Any]) -> None:
    torch.save(state, tmp_path / "m.pt")
    stub = tmp_path / "voiceprint"
    stub.write_text("#!/bin/sh\nwhile read -r f; do echo \"{\\\"file\\\": \\\"$f\\\", "
                    "\\\"embedding\\\": [1,0,0,0,0,0,0,0]}\"; done < $(echo \"$@\" | sed 's/.*--list //')\n")
    stub.chmod(0o755)
    done = convert(tmp_path / "m.pt", "--program", str(stub))
    assert done.returncode == 1 and "voiceprint: the written file is off by" in done.stderr
    stub.write_text("#!/bin/sh\necho the model is refused >&2; exit 1\n")
    done = convert(tmp_path / "m.pt", "--program", str(stub))
    assert done.returncode == 1 and "the model is refused" in done.stderr
    assert not list(tmp_path.glob("*.safetensors*"))


class Attack:
    """A pickle that runs a command wherever it is loaded without care."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, state: dict[str, Any], zipped: bool) -> None:
    canary = tmp_path / "canary"
    saved = {"state_dict": state, "callbacks": Attack(canary)}
    torch.save(saved, tmp_path / "beside.pt", _use_new_zipfile_serialization=zipped)
    assert convert(tmp_path / "beside.pt", "-q").returncode == 0
    torch.save(state | {"extra": Attack(canary)}, tmp_path / "inside.pt", _use_new_zipfile_serialization=zipped)
    refused(tmp_path / "inside.pt", "cannot explain extra")
    torch.save(Attack(canary), tmp_path / "alone.pt", _use_new_zipfile_serialization=zipped)
    refused(tmp_path / "alone.pt", "not a state dict")
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path: Path) -> None:
    """The attack is real: an ordinary unpickler runs it."""
    pickle.load(io.BytesIO(pickle.dumps(Attack(tmp_path / "canary"))))
    assert (tmp_path / "canary").exists()


def test_torchscript_is_refused_unread(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "m.pt"))
    refused(tmp_path / "m.pt", "TorchScript")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda s: s.pop("layer3.0.bn2.bias"), ("missing", "layer3.0.bn2.bias")),
        (lambda s: s.pop("layer1.0.bn1.running_var"), ("layer1.0.bn1.running_var",)),
        (lambda s: s.pop("conv1.weight"), ("conv1.weight",)),
        (lambda s: s.pop("seg_1.weight"), ("seg_1.weight",)),
        (lambda s: s.update({"layer1.0.se.weight": torch.zeros(3)}), ("layer1.0.se.weight",)),
        (lambda s: s.update({"head.weight": torch.zeros(3)}), ("head.weight",)),
        (lambda s: s.update({"seg_2.weight": torch.zeros(8, 8)}), ("seg_2.weight", "two embedding layers")),
        (lambda s: s.update({"bn1.bias": s["bn1.bias"] * float("nan")}), ("bn1.bias", "not finite")),
        (lambda s: s.update({"bn1.bias": torch.zeros(3)}), ("bn1.bias", "shape")),
        (lambda s: s.update({"bn1.bias": torch.zeros(2, dtype=torch.int64)}), ("bn1.bias", "int64")),
        (lambda s: s.update({"bn1.bias": [0.0, 0.0]}), ("bn1.bias",)),
        (lambda s: s.update({"bn1.running_var": -s["bn1.running_var"]}), ("running_var",)),
        (lambda s: s.update({"layer4.2.conv1.weight": torch.zeros(1)}), ("layer4 has blocks",)),
    ],
)
def test_what_cannot_be_explained_is_refused(
    tmp_path: Path, state: dict[str, Any], change: Any, words: tuple[str, ...]
) -> None:
    change(state)
    torch.save(state, tmp_path / "m.pt")
    refused(tmp_path / "m.pt", *words)


@pytest.mark.parametrize("name", ["m.pt", "m.onnx"])
@pytest.mark.parametrize("data", [b"", b"<!doctype html>", bytes(range(256)) * 9])
def test_other_files_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    refused(tmp_path / name, name)


def test_a_cut_checkpoint_is_refused(tmp_path: Path, state: dict[str, Any]) -> None:
    torch.save(state, tmp_path / "whole.pt")
    data = (tmp_path / "whole.pt").read_bytes()
    for share in (0.1, 0.5, 0.99):
        (tmp_path / "cut.pt").write_bytes(data[: int(len(data) * share)])
        refused(tmp_path / "cut.pt", "not a PyTorch checkpoint")
    refused(tmp_path / "gone.pt", "gone.pt")


def drop_bias(model: Any) -> None:
    conv = [node for node in model.graph.node if node.op_type == "Conv"][3]
    del conv.input[2]


def add_tensor(model: Any) -> None:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(4, np.float32), "stray"))


def swap_flatten(model: Any) -> None:
    """The pooling sees [B, F, C, T]: same shape, other order. Only running it tells."""
    pooled = next(n for n in model.graph.node if n.op_type == "ReduceMean").input[0]
    at = next(i for i, n in enumerate(model.graph.node) if pooled in n.output) + 1
    for node in model.graph.node:
        node.input[:] = ["swapped" if name == pooled else name for name in node.input]
    model.graph.node.insert(at, onnx.helper.make_node("Transpose", [pooled], ["swapped"], perm=[0, 2, 1, 3]))


def nan_weight(model: Any) -> None:
    tensor = next(t for t in model.graph.initializer if len(t.dims) == 4)
    values = onnx.numpy_helper.to_array(tensor).copy()
    values[0, 0, 0, 0] = np.nan
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def stride_three(model: Any) -> None:
    conv = [node for node in model.graph.node if node.op_type == "Conv"][3]
    next(a for a in conv.attribute if a.name == "strides").ints[:] = [3, 3]


def sigmoid_for_relu(model: Any) -> None:
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Sigmoid"


@pytest.mark.parametrize(
    "change, word",
    [
        (drop_bias, "neither a bias nor a BatchNormalization"),
        (add_tensor, "stray"),
        (swap_flatten, "off by"),
        (nan_weight, "not finite"),
        (stride_three, "strides"),
        (sigmoid_for_relu, "Sigmoid"),
    ],
)
def test_another_graph_is_refused(tmp_path: Path, change: Any, word: str) -> None:
    model = onnx.load(MODELS / "tiny-opset14.onnx")
    change(model)
    onnx.save(model, tmp_path / "m.onnx")
    refused(tmp_path / "m.onnx", word)


# ---- CAM++ ------------------------------------------------------------------------------------------


@pytest.fixture(name="campplus_state")
def make_campplus_state() -> dict[str, Any]:
    from safetensors.torch import load_file

    return {**load_file(ROOT / "tests/golden/campplus/net.safetensors"), "projection.weight": torch.zeros(3, 24)}


@pytest.fixture(autouse=True)
def narrow_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """The goldens' head has 8 channels, published ones 32."""
    monkeypatch.setattr(convert_tool.campplus, "HEAD_CHANNELS", 8)


def test_campplus_checkpoint(tmp_path: Path, campplus_state: dict[str, Any]) -> None:
    source, out = tmp_path / "avg_model.pt", tmp_path / "net.safetensors"
    torch.save(campplus_state, source)
    refused(source, "--front-end povey")
    done = convert(source, "--front-end", "povey", "-o", str(out))
    assert done.returncode == 0 and "verified: the source and voiceprint" in done.stdout, done.stderr
    made = safetensors_torch.load_file(out)
    assert made.keys() == campplus_state.keys() - {"projection.weight"}
    assert all(torch.equal(made[name], campplus_state[name]) for name in made)


@pytest.mark.parametrize("lost", ["xvector.block2.tdnnd2.linear1.weight", "xvector.transit1.linear.weight"])
def test_campplus_checkpoint_that_lacks_a_tensor(tmp_path: Path, campplus_state: dict[str, Any], lost: str) -> None:
    source = tmp_path / "avg_model.pt"
    torch.save({name: value for name, value in campplus_state.items() if name != lost}, source)
    done = convert(source, "--front-end", "povey")
    assert done.returncode == 1 and lost in done.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "tests/golden/campplus").glob("*.onnx")))
def test_campplus_onnx_says_its_front_end(tmp_path: Path, name: str) -> None:
    source, out = tmp_path / "in.onnx", tmp_path / "out.onnx"
    model = onnx.load(ROOT / "tests/golden/campplus" / name)
    del model.metadata_props[:]
    onnx.save(model, source)
    refused(source, "--front-end povey")
    done = convert(source, "--front-end", "hamming", "-o", str(out))
    assert done.returncode == 0 and "verified" in done.stdout, done.stderr
    said = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert said["front_end"] == "hamming" and said["name"] == "in"
    done = convert(source, "--front-end", "hamming")
    assert done.returncode == 1 and "in-hamming.onnx" in done.stderr
