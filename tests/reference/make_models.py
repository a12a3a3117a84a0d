#!/usr/bin/env python3
"""Makes tests/golden/models: small nets, as .safetensors and as .onnx in every spelling.

Each file is checked against the PyTorch network with ONNX Runtime before it is kept. The files
are committed; run this again only to add one. Needs `make venv`, and for the exporter of the
published files' time a Python with torch 1.13 (Debian 12's python3-torch).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import ModelProto
from safetensors.torch import save_file

import onnx_rewrite as rewrite
from onnx_export import export_dynamo, export_torchscript
from untrained import untrained
from vptools.resnet import Architecture, ResNet, tensors

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NETS = {  # name: architecture and seed
    "small": (Architecture((1, 1, 1, 1), channels=8, dim=24), 1),  # stage goldens
    "tiny": (Architecture((1, 1, 1, 1), channels=2, dim=8), 2),  # every spelling
    "deep": (Architecture((1, 2, 1, 2), channels=3, dim=12), 3),
    "bottleneck": (Architecture((1, 1, 2, 1), channels=2, dim=8, bottleneck=True), 4),
}
TOLERANCE = 1e-5  # of the embedding's norm, float32 on both sides


def mean_vec(dim: int) -> torch.Tensor:
    """Far from zero, so that leaving it out shows."""
    return 0.1 * torch.randn(dim, generator=torch.Generator().manual_seed(dim))


class Maker:
    """Writes the files of one network."""

    def __init__(self, out: Path, name: str, python113: str) -> None:
        self.out, self.name, self.python113 = out, name, python113
        arch, seed = NETS[name]
        self.model: ResNet = untrained(arch, seed)
        self.mean_vec = mean_vec(arch.dim)
        generator = torch.Generator().manual_seed(77)
        self.feats = torch.randn(1, 61, arch.n_mels, generator=generator)
        with torch.no_grad():
            self.expected = self.model(self.feats)[0].numpy() - self.mean_vec.numpy()

    def safetensors(self) -> None:
        path = self.out / f"{self.name}.safetensors"
        save_file(tensors(self.model), path, metadata={"name": self.name, "untrained": "true"})
        print(f"{path.name}: {path.stat().st_size} bytes")

    def keep(self, spelling: str, model: ModelProto, ir: int = 0) -> None:
        """Writes <net>-<spelling>.onnx once ONNX Runtime says that it still is the network."""
        rewrite.anonymous(model)
        if ir:
            model.ir_version = ir
        onnx.checker.check_model(model)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        got = session.run(["embs"], {"feats": self.feats.numpy()})[0][0]
        error = np.abs(got - self.expected).max() / np.linalg.norm(self.expected)
        if not error < TOLERANCE:
            sys.exit(f"{self.name}-{spelling}: off by {error:.1e} of the norm")
        path = self.out / f"{self.name}-{spelling}.onnx"
        path.write_bytes(model.SerializeToString())
        print(f"{path.name}: {path.stat().st_size} bytes, IR {model.ir_version}, error {error:.0e}")

    def torchscript(self, opset: int = 14, fold: bool = True) -> ModelProto:
        return onnx.load_from_string(export_torchscript(self.model, self.mean_vec, opset, fold))

    def rewritten(self, change: Callable[[ModelProto], None]) -> ModelProto:
        model = self.torchscript()
        change(model)
        return model

    def torch113(self, scratch: Path, *options: str) -> ModelProto:
        state, out = scratch / "state.pt", scratch / "out.onnx"
        torch.save({"state": self.model.state_dict(), "mean_vec": self.mean_vec}, state)
        script = Path(__file__).with_name("onnx_export.py")
        subprocess.run([self.python113, script, state, out, *options], check=True)
        return onnx.load(out)

    def dynamo(self, scratch: Path, opset: int) -> ModelProto:
        export_dynamo(self.model, self.mean_vec, scratch / "out.onnx", opset)
        return onnx.load(scratch / "out.onnx")

    def every_spelling(self, scratch: Path) -> None:
        self.keep("torch113", self.torch113(scratch))
        self.keep("torch113-unfolded", self.torch113(scratch, "--no-fold"))
        for opset in (14, 17, 18, 20):
            self.keep(f"opset{opset}", self.torchscript(opset))
        self.keep("unfolded", self.torchscript(fold=False))
        self.keep("unfolded-opset20", self.torchscript(20, fold=False))
        for opset in (18, 20):
            self.keep(f"dynamo-opset{opset}", self.dynamo(scratch, opset))
        self.keep("reshape-ir8", self.rewritten(rewrite.reshape_for_flatten), ir=8)
        self.keep("constant-nodes-ir9", self.rewritten(rewrite.constants_as_nodes), ir=9)
        self.keep("initialisers-ir10", self.rewritten(rewrite.constants_as_initialisers), ir=10)
        self.keep("shortcut-first", self.rewritten(rewrite.shortcut_first))
        self.keep("numbers", self.rewritten(rewrite.numbers_for_names))
        self.keep("typed-data", self.rewritten(rewrite.typed_data))
        self.keep("ort-basic", rewrite.optimised_by_onnxruntime(self.torchscript(), str(scratch / "ort.onnx")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=GOLDEN / "models")
    parser.add_argument("--python113", default="/usr/bin/python3", help="a Python that has torch 1.13")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    onnxruntime.set_default_logger_severity(3)
    with tempfile.TemporaryDirectory() as scratch:
        for name in NETS:
            maker = Maker(args.out, name, args.python113)
            maker.safetensors()
            if name == "tiny":
                maker.every_spelling(Path(scratch))
            elif name != "small":
                maker.keep("opset14", maker.torchscript())


if __name__ == "__main__":
    main()
