#!/usr/bin/env python3
"""Two engines on the same clips: do they compute the same, and if not, where do they part?

A side is ENGINE:MODEL. Engines: voiceprint (ours, its fastest kernel), voiceprint-blas,
voiceprint-avx2, voiceprint-avx512, onnxruntime, torch. A bare file name picks the engine by its
ending: .onnx onnxruntime, .safetensors voiceprint, anything else torch. B is the one believed.

Example: compare.py models/x.safetensors onnxruntime:published.onnx clips/*.flac
Exit status: 0 the bar holds, 1 it does not, 2 a side could not be run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Sequence

import numpy as np
import torch

from vptools import diagnose, folded
from vptools.checkpoint import CheckpointError
from vptools.engine import DEFAULT_PROGRAM, EngineError
from vptools.engines import Engine, OnnxEngine, OurEngine, TorchEngine, load_network
from vptools.features import read_samples
from vptools.onnx_net import OnnxError

RELATIVE, COSINE = 1e-4, 0.99999  # max|a-b| / ||b||, and cosine
BY_ENDING = {".onnx": "onnxruntime", ".safetensors": "voiceprint"}


def side(text: str, program: Path) -> tuple[Engine, Path]:
    """ENGINE:MODEL -> the engine, and its model file."""
    kind, _, rest = text.partition(":")
    model = Path(rest or kind)
    if not rest:
        kind = BY_ENDING.get(model.suffix, "torch")
    if not model.exists():
        raise FileNotFoundError(f"{text}: no such file {model}")
    if kind == "onnxruntime":
        return OnnxEngine(model), model
    if kind == "torch":
        return TorchEngine(load_network(model), f"torch {model.name}"), model
    name, _, kernel = kind.partition("-")
    if name != "voiceprint":
        raise ValueError(f"{text}: no engine '{kind}'")
    return OurEngine(program, model, kernel or "auto"), model


def closeness(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Cosine, and max|a-b| / ||b||. Zero or not finite: nothing is close."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if a.shape != b.shape or not norms > 0 or not np.isfinite(norms):
        return 0.0, float("inf")
    return float(a @ b / norms), float(np.abs(a - b).max() / np.linalg.norm(b))


def print_stages(found: list[diagnose.Difference]) -> None:
    print(f"{'stage':12s}{'shape':>20s}{'max abs':>12s}{'relative':>12s}")
    for d in found:
        mark = "" if d.agrees else "  <- first to differ" if d is diagnose.first(found) else "  differs"
        print(f"{d.stage:12s}{str(d.shape_a):>20s}{d.max_abs:12.1e}{d.relative:12.1e}{mark}")


def print_causes(a: Engine, b: Engine, models: tuple[Path, Path], clip: Path) -> None:
    """The stages of one clip, the known fault that explains them, and the weights that differ."""
    stages_a, stages_b = a.stages(clip), b.stages(clip)
    print(f"\nstages of {clip}")
    print_stages(diagnose.differences(stages_a, stages_b))
    for cause in diagnose.explain(stages_a, stages_b, read_samples(clip)):
        print(f"fault: {cause}")
    if models[0] == models[1]:
        return
    for sentence in folded.differing(load_network(models[0]), load_network(models[1]))[:10]:
        print(f"weights: {sentence}")


def compare(a: Engine, b: Engine, clips: list[Path]) -> Path | None:
    """Prints a line a clip; the worst clip that misses the bar, or None."""
    print(f"A: {a.name}\nB: {b.name}")
    print(f"{'cosine':>12s}{'max|a-b|/|b|':>16s}")
    worst, missed = 0.0, None
    for clip, x, y in zip(clips, a.embeddings(clips), b.embeddings(clips)):
        cosine, relative = closeness(x, y)
        holds = cosine >= COSINE and relative <= RELATIVE
        print(f"{cosine:12.8f}{relative:16.1e}  {clip}{'' if holds else '  MISSED'}")
        if not holds and relative >= worst:
            worst, missed = relative, clip
    return missed


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", help="the side that is judged, ENGINE:MODEL")
    parser.add_argument("b", help="the side that is believed, ENGINE:MODEL")
    parser.add_argument("clips", type=Path, nargs="+", help="16 kHz mono recordings")
    parser.add_argument("--stages", action="store_true", help="print the stages of the first clip anyway")
    parser.add_argument("--program", type=Path, default=DEFAULT_PROGRAM, help="our command line program")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        (a, model_a), (b, model_b) = side(args.a, args.program), side(args.b, args.program)
        missed = compare(a, b, args.clips)
        if missed or args.stages:
            print_causes(a, b, (model_a, model_b), missed or args.clips[0])
    except (EngineError, CheckpointError, OnnxError, OSError, ValueError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    print(f"bar (cosine {COSINE}, relative {RELATIVE:g}): {'MISSED' if missed else 'holds'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
