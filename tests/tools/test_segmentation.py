"""Segmentation networks: converted from pyannote's checkpoint, and judged in our engine."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import types
from pathlib import Path

import pytest

REASON = "the model tools need PyTorch and ONNX Runtime: make venv"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("onnxruntime", reason=REASON)
pytest.importorskip("soundfile", reason=REASON)
safetensors = pytest.importorskip("safetensors", reason=REASON)
safetensors_torch = pytest.importorskip("safetensors.torch", reason=REASON)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import convert as convert_tool  # noqa: E402
import get_weights  # noqa: E402
from vptools.segmentation import Architecture, tensors, untrained  # noqa: E402

NETS = ROOT / "tests/golden/segmentation"
PROGRAM = Path(os.environ.get("VOICEPRINT_BUILD", ROOT / "build/release")) / "voiceprint"
SMALL = Architecture(8, 6, 5, 2, 7)


def save(path: Path, state: dict) -> Path:
    """As pyannote saves it, beside an object of a class that is not here any more when it is read."""
    module = types.ModuleType("pyannote_task")
    module.Specifications = type("Specifications", (), {"__module__": "pyannote_task",
                                                        "__qualname__": "Specifications"})
    sys.modules["pyannote_task"] = module
    try:
        torch.save({"state_dict": state, "hyper_parameters": {"stride": 10},
                    "pyannote.audio": {"specifications": module.Specifications()}}, path)
    finally:
        del sys.modules["pyannote_task"]
    return path


def convert(source: Path, *options: str) -> int:
    return convert_tool.main([str(source), "--program", str(PROGRAM), *options])


def test_without_pytorch_the_same_file_comes_out(tmp_path, capsys):
    """get_weights.py converts with numpy alone what convert.py converts with PyTorch."""
    source = save(tmp_path / "pytorch_model.bin", untrained(Architecture(), 9).state_dict())
    assert convert(source, "-o", str(tmp_path / "out.safetensors")) == 0
    (tmp_path / "plain.safetensors").write_bytes(get_weights.convert_segmentation(source.read_bytes()))
    with (safetensors.safe_open(tmp_path / "out.safetensors", "np") as expected,
          safetensors.safe_open(tmp_path / "plain.safetensors", "np") as found):
        assert sorted(found.keys()) == sorted(expected.keys())
        assert all((found.get_tensor(k) == expected.get_tensor(k)).all() for k in expected.keys())
        assert found.metadata() == {**expected.metadata(), "name": "segmentation-3.0", "license": "MIT",
                                    "origin": get_weights.SEGMENTATION_METADATA["origin"]}


@pytest.mark.parametrize("arch", [SMALL, Architecture()])
def test_a_checkpoint_is_converted_tensor_by_tensor(tmp_path, capsys, arch):
    model = untrained(arch, 9)
    source = save(tmp_path / "pytorch_model.bin", model.state_dict())
    assert convert(source, "-o", str(tmp_path / "out.safetensors")) == 0
    said = capsys.readouterr().out
    assert f"{len(tensors(model))} tensors" in said and "verified" in said
    assert "pyannote.audio" in said
    written = safetensors_torch.load_file(tmp_path / "out.safetensors")
    assert {k: v.tolist() for k, v in written.items()} == {
        k: v.tolist() for k, v in tensors(model).items()}


@pytest.mark.parametrize("change", [
    lambda s: s.pop("lstm.bias_hh_l1_reverse"), lambda s: s.update({"more.weight": torch.ones(3)}),
    lambda s: s.update({"sincnet.conv1d.0.filterbank.window_": torch.ones(125)}),
    lambda s: s.update({"classifier.weight": torch.ones(6, 7)}),
    lambda s: s.update({"linear.0.bias": torch.full((7,), float("nan"))}),
    lambda s: s.update({"steps": 3}),
])
def test_what_cannot_be_explained_is_refused(tmp_path, capsys, change):
    state = dict(untrained(SMALL, 9).state_dict())
    change(state)
    assert convert(save(tmp_path / "pytorch_model.bin", state)) == 1
    assert capsys.readouterr().err.startswith("convert: ")
    assert [p.name for p in tmp_path.iterdir()] == ["pytorch_model.bin"]


def check(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "tools/check_segmentation.py", "--program", PROGRAM,
                           *args], capture_output=True, text=True, timeout=200, check=False)


def test_the_engine_is_judged_by_both_engines(tmp_path):
    source = save(tmp_path / "pytorch_model.bin", untrained(SMALL, 9).state_dict())
    for network in (source, NETS / "small-opset13.onnx"):
        done = check(network)
        assert done.returncode == 0, done.stderr
        assert "the engine agrees" in done.stdout and "11 windows" in done.stdout


def test_what_is_no_segmentation_network_is_said(tmp_path):
    (tmp_path / "x.bin").write_bytes(pickle.dumps({"a": 1}))
    for network in (tmp_path / "x.bin", NETS / "refused-int8.onnx"):
        done = check(network)
        assert done.returncode == 1 and done.stdout == "", done.stdout
        assert done.stderr.startswith("check_segmentation: ")
