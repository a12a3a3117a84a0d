#!/usr/bin/env python3
"""Makes tests/golden/campplus/*.onnx: its net as WeSpeaker, 3D-Speaker and sherpa-onnx export theirs.

Pooling of segments, statistics and the last layer are spelled as the published code spells them. Run it
once with each PyTorch: with 1.13 (Debian 12's python3-torch), of the published files' time, and with 2.x;
it writes the files of the one that runs it. The exporter of 2.x that traces with torch.export
(`dynamo=True`) does not get through the published code with a time axis left open: there is no such file.
Needs safetensors, onnx; with ONNX Runtime every file is compared with PyTorch before it is kept.
"""

from __future__ import annotations

import io
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import onnx_rewrite  # noqa: E402
from vptools import campplus  # noqa: E402

OUT = Path(__file__).resolve().parents[1] / "golden" / "campplus"
HEAD_CHANNELS = 8
EXAMPLE_FRAMES = 200
FRAMES = (57, 203)
TOLERANCE = 1e-5  # of the embedding's norm, float32 on both sides
IS_OLD = torch.__version__.startswith("1.")


@dataclass(frozen=True)
class Spelling:
    """How somebody exports: names, operator set, and what is added to the file."""

    opset: int
    names: tuple[str, str]
    fold: bool = True
    mean_vec: bool = False
    metadata: dict[str, str] = field(default_factory=dict)


WESPEAKER = Spelling(14, ("feats", "embs"), mean_vec=True, metadata={"framework": "wespeaker"})
SHERPA = Spelling(13, ("x", "embedding"), metadata={"framework": "3d-speaker", "normalize_samples": "1"})
UNFOLDED = Spelling(14, ("feats", "embs"), fold=False, metadata={"front_end": "povey"})
SPELLINGS = {
    "torch113-wespeaker": WESPEAKER,
    "torch113-sherpa": SHERPA,
    "torch113-3dspeaker": Spelling(11, ("feature", "embedding"), metadata={"front_end": "povey"}),
    "torch113-unfolded": UNFOLDED,
} if IS_OLD else {
    "torch2-sherpa-opset17": Spelling(17, ("x", "embedding"), metadata={"framework": "3d-speaker"}),
    "torch2-unfolded": UNFOLDED,
}


def segments(x: Tensor) -> Tensor:
    """[B, C, T] -> the mean of each frame's segment, by expanding and cutting."""
    size = campplus.SEGMENT_FRAMES
    means = functional.avg_pool1d(x, size, size, ceil_mode=True)
    shape = means.shape
    return means.unsqueeze(-1).expand(*shape, size).reshape(*shape[:-1], -1)[..., : x.shape[-1]]


def gated(layer: campplus.MaskedConvolution, x: Tensor) -> Tensor:
    local = layer.linear_local(x)
    context = x.mean(-1, keepdim=True) + segments(x)
    return local * torch.sigmoid(layer.linear2(functional.relu(layer.linear1(context))))


class Export(nn.Module):
    """feats -> embs, as the published code goes from one to the other; less mean_vec where there is one."""

    def __init__(self, model: campplus.CamPlusPlus, mean_vec: Tensor | None) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean_vec", mean_vec)

    def forward(self, feats: Tensor) -> Tensor:
        net = self.model.xvector
        x = net["tdnn"](self.model.head(feats.permute(0, 2, 1).unsqueeze(1)))
        for block in range(1, len(campplus.DILATIONS) + 1):
            x = net[f"transit{block}"](net[f"block{block}"](x))
        x = net["out_nonlinear"](x)
        x = torch.cat((x.mean(-1), x.std(-1, unbiased=True)), -1)
        last = net["dense"]
        x = last.nonlinear(last.linear(x.unsqueeze(-1)).squeeze(-1))
        return x if self.mean_vec is None else x - self.mean_vec


def export(model: nn.Module, spelling: Spelling) -> onnx.ModelProto:
    """By the older exporter, which all three use."""
    feats, embs = spelling.names
    mode = torch.onnx.TrainingMode
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(1, EXAMPLE_FRAMES, campplus.N_MELS),), out, opset_version=spelling.opset,
            do_constant_folding=spelling.fold, training=mode.EVAL if spelling.fold else mode.PRESERVE,
            input_names=[feats], output_names=[embs], dynamic_axes={feats: {0: "B", 1: "T"}, embs: {0: "B"}},
            **({} if IS_OLD else {"dynamo": False}))  # fmt: skip
    made = onnx.load_from_string(out.getvalue())
    onnx_rewrite.anonymous(made)
    onnx.helper.set_model_props(made, spelling.metadata)
    return made


@torch.no_grad()
def compare(made: onnx.ModelProto, model: nn.Module, name: str) -> None:
    """ONNX Runtime says the same as PyTorch, at lengths that were not the example's."""
    try:
        import onnxruntime
    except ImportError:
        print(f"{name}: not compared, no ONNX Runtime here")
        return
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    for n_frames in FRAMES:
        feats = torch.randn(1, n_frames, campplus.N_MELS, generator=torch.Generator().manual_seed(n_frames))
        expected = model(feats)[0].numpy()
        found = session.run(None, {session.get_inputs()[0].name: feats.numpy()})[0][0]
        error = np.abs(found - expected).max() / np.linalg.norm(expected)
        if not error < TOLERANCE:
            sys.exit(f"{name}: off by {error:.1e} of the norm at {n_frames} frames")


def main() -> None:
    torch.set_num_threads(1)
    campplus.HEAD_CHANNELS = HEAD_CHANNELS
    campplus.MaskedConvolution.forward = gated  # type: ignore[method-assign]
    net = campplus.load({**campplus.untrained(campplus.Architecture.of(load_file(OUT / "net.safetensors")), 1)
                        .state_dict(), **load_file(OUT / "net.safetensors")})
    for name, spelling in SPELLINGS.items():
        mean_vec = 0.1 * torch.randn(net.arch.dim, generator=torch.Generator().manual_seed(5))
        model = Export(net, mean_vec if spelling.mean_vec else None).eval()
        made = export(model, spelling)
        compare(made, model, name)
        path = OUT / f"{name}.onnx"
        path.write_bytes(made.SerializeToString())
        print(f"{path.name}: {path.stat().st_size} bytes, operator set {spelling.opset}, IR {made.ir_version}")


if __name__ == "__main__":
    main()
