#!/usr/bin/env python3
"""Makes tests/golden/segmentation: small segmentation networks with random weights, as
.safetensors and as .onnx, and what they must answer, computed in float64 by PyTorch.

The ONNX files are made as sherpa-onnx makes the published one, and checked with ONNX Runtime. With
--check nothing is written: the committed arrays are compared with new ones.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.torch import load_file, save_file

from signals import voice
from vptools.segmentation import Architecture, Segmentation, in_double, load, tensors, untrained

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "segmentation"
NETS = {  # name: architecture and seed
    "small": (Architecture(8, 6, 5, 2, 7), 3),  # nothing fills a vector
    "even": (Architecture(32, 16, 16, 3, 32), 4),  # everything does
}
OPSETS = {"small": (13, 15, 17), "even": (13,)}
WINDOW, HOP, N_WINDOWS = 16160, 4000, 3
SAME = 2e-6  # of the largest value
METADATA = {
    "num_speakers": 3, "powerset_max_classes": 2, "num_classes": 7, "sample_rate": 16000,
    "window_size": 160000, "receptive_field_size": 991, "receptive_field_shift": 270,
    "model_type": "pyannote-segmentation-3.0", "untrained": "true",
}


def export(model: torch.nn.Module, opset: int, **options: object) -> onnx.ModelProto:
    """As sherpa-onnx exports pyannote's network."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, torch.zeros(1, 1, 160000), out, opset_version=opset, dynamo=False,
                          input_names=["x"], output_names=["y"],
                          dynamic_axes={"x": {0: "N", 2: "T"}, "y": {0: "N", 1: "T"}}, **options)
    made = onnx.load_from_string(out.getvalue())
    onnx.helper.set_model_props(made, {k: str(v) for k, v in METADATA.items()})
    return made


class WithoutAbs(torch.nn.Module):
    """The network without the absolute value: same tensors, other graph."""

    def __init__(self, model: Segmentation) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        net = self.model.sincnet
        x = net.wav_norm1d(x)
        for conv, pool, norm in zip(net.conv1d, net.pool1d, net.norm1d):
            x = torch.nn.functional.leaky_relu(norm(pool(conv(x))), 0.01)
        y, _ = self.model.lstm(x.transpose(1, 2))
        for linear in self.model.linear:
            y = torch.nn.functional.leaky_relu(linear(y), 0.01)
        return torch.nn.functional.log_softmax(self.model.classifier(y), -1)


def initialiser(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(t for t in model.graph.initializer if t.name == name)


def refused(model: Segmentation) -> dict[str, onnx.ModelProto]:
    """Files that look right and are not."""
    files = {"no-abs": export(WithoutAbs(model), 13)}
    changed = export(model, 13)
    window = initialiser(changed, "sincnet.conv1d.0.filterbank.window_")
    window.raw_data = np.ones(125, np.float32).tobytes()
    files["other-window"] = changed
    changed = export(model, 13)
    for node in changed.graph.node:
        if node.op_type == "LSTM":
            next(a for a in node.attribute if a.name == "direction").s = b"reverse"
    files["one-direction"] = changed
    changed = export(model, 13)
    for node in changed.graph.node:
        if node.op_type == "Transpose" and list(node.attribute[0].ints) == [0, 2, 1, 3]:
            node.attribute[0].ints[:] = [0, 2, 3, 1]
    files["directions-mixed"] = changed
    changed = export(model, 13)
    next(p for p in changed.metadata_props if p.key == "powerset_max_classes").value = "1"
    files["other-powerset"] = changed
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "model.onnx", Path(folder) / "model.int8.onnx"
        onnx.save(export(model, 15), plain)
        quantize_dynamic(plain, small, weight_type=QuantType.QUInt8)
        files["int8"] = onnx.load(small)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        onnxruntime.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
        files["folded"] = onnx.load(options.optimized_model_filepath)
    return files


def windows() -> np.ndarray:
    samples = np.load(GOLDEN / "samples.npy").astype(np.float64) / 32768
    return np.stack([samples[w * HOP: w * HOP + WINDOW] for w in range(N_WINDOWS)])[:, None]


def write_models() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    n = WINDOW + (N_WINDOWS - 1) * HOP
    one, other = voice(31, n).astype(int), voice(32, n).astype(int)
    one[: n // 4] = 0
    other[n // 2: 3 * n // 4] //= 50
    np.save(GOLDEN / "samples.npy", ((one + other) // 2 + 200).astype(np.int16))  # and an offset
    for name, (arch, seed) in NETS.items():
        model = untrained(arch, seed)
        save_file(tensors(model), GOLDEN / f"{name}.safetensors",
                  metadata={"name": name, **{k: str(v) for k, v in METADATA.items()}})
        x = windows().astype(np.float32)
        for opset in OPSETS[name]:
            made = export(model, opset)
            session = onnxruntime.InferenceSession(made.SerializeToString(),
                                                   providers=["CPUExecutionProvider"])
            with torch.no_grad():
                error = np.abs(session.run(None, {"x": x})[0] - model(torch.from_numpy(x)).numpy())
            if not error.max() < 1e-4:
                sys.exit(f"{name}, opset {opset}: ONNX Runtime differs by {error.max():.1e}")
            (GOLDEN / f"{name}-opset{opset}.onnx").write_bytes(made.SerializeToString())
    for name, made in refused(untrained(*NETS["small"])).items():
        (GOLDEN / f"refused-{name}.onnx").write_bytes(made.SerializeToString())


def make() -> dict[str, np.ndarray]:
    """Every golden array's name and values."""
    files: dict[str, np.ndarray] = {}
    for name in NETS:
        model = in_double(load(load_file(GOLDEN / f"{name}.safetensors")))
        with torch.no_grad():
            stages = model.stages(torch.from_numpy(windows()))
        files |= {f"{name}-{stage}.npy": x.numpy().astype(np.float32) for stage, x in stages.items()}
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not args.check:
        write_models()
    files, bad = make(), 0
    for name, array in files.items():
        if not args.check:
            np.save(GOLDEN / name, np.ascontiguousarray(array))
        error = np.abs(np.load(GOLDEN / name) - array).max() / np.abs(array).max()
        bad += not error <= SAME
        print(f"{name}: {list(array.shape)}, off by {error:.1e}")
    n_bytes = sum(p.stat().st_size for p in GOLDEN.iterdir())
    print(f"{len(files)} arrays; the folder has {n_bytes} bytes; {bad} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
