"""ONNX files of the network in every spelling that the loader must accept.

The four exporters that people have used, then what other tools make of their files. Runs on torch
1.13 (the exporter of the published files' time) and on 2.x; `make_models.py` calls it on both.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from vptools.resnet import load  # noqa: E402

EXAMPLE_FRAMES = 200


class Export(nn.Module):
    """What WeSpeaker's export_onnx.py wraps around a network: feats -> embs, less mean_vec."""

    def __init__(self, model: nn.Module, mean_vec: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean_vec", mean_vec)

    def forward(self, feats: Tensor) -> Tensor:
        return self.model(feats) - self.mean_vec


def export_torchscript(model: nn.Module, mean_vec: Tensor, opset: int = 14, fold: bool = True) -> bytes:
    """The older exporter, called as WeSpeaker calls it. fold=False leaves BatchNormalization be."""
    mode = torch.onnx.TrainingMode
    options = dict(
        opset_version=opset,
        do_constant_folding=fold,
        training=mode.EVAL if fold else mode.PRESERVE,
        input_names=["feats"],
        output_names=["embs"],
        dynamic_axes={"feats": {0: "B", 1: "T"}, "embs": {0: "B"}},
    )
    if int(torch.__version__.split(".")[0]) >= 2:
        options["dynamo"] = False
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        feats = torch.zeros(1, EXAMPLE_FRAMES, model.arch.n_mels)
        torch.onnx.export(Export(model, mean_vec).eval(), (feats,), out, **options)
    return out.getvalue()


def export_dynamo(model: nn.Module, mean_vec: Tensor, path: Path, opset: int) -> None:
    """The exporter of torch 2.x that traces with torch.export. Writes path itself."""
    frames = torch.export.Dim("T", min=9, max=100000)
    feats = torch.zeros(2, EXAMPLE_FRAMES, model.arch.n_mels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Export(model, mean_vec).eval(),
            (feats,),
            str(path),
            dynamo=True,
            opset_version=opset,
            external_data=False,
            verbose=False,
            input_names=["feats"],
            output_names=["embs"],
            dynamic_shapes={"feats": {0: torch.export.Dim("B", min=1, max=1024), 1: frames}},
        )


def main() -> None:
    """Exports a state dict with the older exporter of whatever torch runs this."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("state", type=Path, help="torch.save of {'state': ..., 'mean_vec': ...}")
    parser.add_argument("out", type=Path, help="the .onnx to write")
    parser.add_argument("--opset", type=int, default=14)
    parser.add_argument("--no-fold", action="store_true", help="leave BatchNormalization nodes")
    args = parser.parse_args()
    saved = torch.load(args.state)
    args.out.write_bytes(
        export_torchscript(load(saved["state"]), saved["mean_vec"], args.opset, not args.no_fold)
    )
    print(f"torch {torch.__version__}: {args.out.name}")


if __name__ == "__main__":
    main()
