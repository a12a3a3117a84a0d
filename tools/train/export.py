"""A training checkpoint -> safetensors with WeSpeaker's parameter names.

float16 unless asked otherwise. The metadata says what the model is and what it was trained on, and
holds the digest of the weights and the embedding of the engine's self-test signal, so that a
damaged file or engine is noticed at start.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path
from typing import Mapping

import torch
from torch import Tensor

from train import self_test
from train.student import Student
from vptools import safetensors_header
from vptools.features import fbank
from vptools.resnet import load, tensors

TRAINING_DATA = (
    "speechocean762 (free for commercial and non-commercial use); LibriSpeech train-clean-100 samples, "
    "Google Speech Commands v1, Arabic Speech Commands (CC BY 4.0); Alphanumeric Audio Dataset (MIT); "
    "distilled from 3D-Speaker's CAM++, speech_campplus_sv_zh_en_16k-common_advanced (Apache-2.0)"
)
NAME = "voiceprintd-resnet34"


def export(state: Mapping[str, Tensor], path: Path, name: str, dtype: torch.dtype) -> int:
    """Write all float tensors of a Student's state, atomically; returns how many."""
    from safetensors.torch import save_file

    model = Student()
    model.load_state_dict(dict(state))
    out = {key: value.detach().to("cpu", dtype).contiguous() for key, value in tensors(model).items()}
    bad = [key for key, value in out.items() if not torch.isfinite(value).all()]
    if bad:
        raise SystemExit(f"not finite as {dtype}: {', '.join(bad)}")
    metadata = {
        "name": name,
        "licence": "CC-BY-4.0",
        "training_data": TRAINING_DATA,
        "self_test": json.dumps(self_test_vector(out)),
    }
    partial = path.with_suffix(".partial")
    save_file(out, str(partial), metadata)
    _, data = safetensors_header.read(partial)
    safetensors_header.update_metadata(partial, {"weights_sha256": hashlib.sha256(data).hexdigest()})
    os.replace(partial, path)
    return len(out)


@torch.no_grad()
def self_test_vector(state: Mapping[str, Tensor]) -> list[float]:
    """The unit embedding of the self-test signal, by PyTorch in float32."""
    model = load({key: value.float() for key, value in state.items()})
    vector = model(fbank(self_test.signal())[None])[0]
    return [round(x, 7) for x in (vector / vector.norm()).tolist()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, help="checkpoint.pt of a run")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--fp32", action="store_true", help="store float32, not float16")
    parser.add_argument("--name", default=NAME)


def main(args: argparse.Namespace) -> None:
    state = torch.load(args.checkpoint, map_location="cpu")["average"]
    dtype = torch.float32 if args.fp32 else torch.float16
    n_tensors = export(state, args.out, args.name, dtype)
    print(f"{args.out}: {n_tensors} tensors, {args.out.stat().st_size / 1e6:.1f} MB")
