"""A state dict of the TS-VAD network -> safetensors for the engine, float16.

The metadata names the embedding model that it was trained on, by the digest of that model's file:
with the embeddings and the trunk of another model the network means nothing, and the engine compares.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from train.tsvad import net

NAME = "tsvad-1"
METADATA = {
    "name": NAME,
    "licence": "CC-BY-4.0",
    "training_data": "see models/README.md",
}
EMBEDDING_MODEL = Path("models/voiceprint.safetensors")


def digest_of(model: Path) -> str:
    """As `voiceprint info` and GET /info say it."""
    return "sha256:" + hashlib.sha256(model.read_bytes()).hexdigest()


def export(state: Mapping[str, Tensor], model_digest: str, path: Path) -> None:
    """Writes all tensors, atomically."""
    from safetensors.torch import save_file

    tensors = net.load(state).state_dict()
    tensors = {name: value.detach().half().contiguous() for name, value in tensors.items()}
    bad = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if bad:
        raise SystemExit(f"not finite as float16: {', '.join(bad)}")
    partial = path.with_suffix(".partial")
    save_file(tensors, str(partial), {**METADATA, "model_digest": model_digest})
    partial.chmod(0o644)
    os.replace(partial, path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("state", type=Path, help="state dict of net.TsVad (.pt)")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--model", type=Path, default=EMBEDDING_MODEL,
                        help="embedding model that it was trained on (default %(default)s)")  # fmt: skip


def main(args: argparse.Namespace) -> None:
    digest = digest_of(args.model)
    export(torch.load(args.state, map_location="cpu"), digest, args.out)
    print(f"{args.out}: {args.out.stat().st_size} bytes, for the model {digest}")
