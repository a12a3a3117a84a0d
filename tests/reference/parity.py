#!/usr/bin/env python3
"""Is the engine the published network? Judged on the full-size net, number by number.

Remakes the goldens, then compares the C engine with torchaudio (features), PyTorch and ONNX
Runtime (embeddings) on generated voices of awkward lengths and on every real clip. The weights
are He-initialised and spread voices apart (untrained.py), so that errors show; --model judges
any other model. Prints a table; exit status 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Sequence

import numpy as np
import onnxruntime
import soundfile
import torch
from safetensors.torch import save_file

import golden
from make_models import mean_vec
from onnx_export import export_dynamo, export_torchscript
from signals import RATE_HZ, voice
from untrained import untrained
from vptools.engines import Engine, OnnxEngine, OurEngine, TorchEngine, load_network
from vptools.features import fbank, read_samples
from vptools.resnet import RESNETS, tensors

ROOT = Path(__file__).resolve().parents[2]
# Log units, against torchaudio in float64: in float32 it is itself up to 5.4e-3 away from that, in
# lone bins whose energy is 1e-10 of the frame's. kaldi-native-fbank is up to 4.3e-3 away.
FBANK_MAX, FBANK_MEAN = 2e-3, 2e-5
RELATIVE, COSINE = 1e-4, 0.99999  # max|a-b| / ||b||, and cosine, of embeddings
SPREAD = 0.9  # median cosine of different clips above this would hide errors
VOICES = (20, 21, 22)
SEED = 2034
BATCH = 40  # clips a run of the program


@dataclass
class Row:
    """The worst of a group of clips."""

    name: str
    clips: int = 0
    worst: dict[str, float] = field(default_factory=dict)

    def add(self, column: str, value: float) -> None:
        # NaN compares false with everything: it must not look like a small error.
        value = float("inf") if np.isnan(value) else value
        self.worst[column] = max(self.worst.get(column, 0.0), value)


@dataclass
class Table:
    """Rows in order of appearance, columns with a bar each."""

    bars: dict[str, float]
    rows: dict[str, Row] = field(default_factory=dict)

    def row(self, name: str) -> Row:
        return self.rows.setdefault(name, Row(name))

    def print(self) -> bool:
        """Prints it, a '!' beside each missed bar; did every bar hold?"""
        holds = bool(self.rows)
        print(f"{'':24s}{'clips':>6s}" + "".join(f"{name:>20s}" for name in self.bars))
        for row in self.rows.values():
            cells = []
            for column, bar in self.bars.items():
                value = row.worst.get(column, float("inf"))
                holds = holds and value <= bar
                cells.append(f"{value:18.1e} {'!' if value > bar else ' '}")
            print(f"{row.name:24s}{row.clips:6d}" + "".join(f"{cell:>20s}" for cell in cells))
        print(f"{'bar':30s}" + "".join(f"{bar:18.1e}  " for bar in self.bars.values()), flush=True)
        return holds


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b.astype(np.float64)).max() / np.linalg.norm(b.astype(np.float64)))


def one_less_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """By the distance of the unit vectors: 1 - cos itself drowns in rounding."""
    a, b = (x.astype(np.float64) / np.linalg.norm(x.astype(np.float64)) for x in (a, b))
    return float(np.sum((a - b) ** 2) / 2)


def generated_clips(folder: Path) -> list[tuple[str, Path]]:
    """(group, file): voices of each awkward length, as wav."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for n_frames in golden.FRAMES:
        for number in VOICES:
            path = folder / f"t{n_frames:03d}-voice{number}.wav"
            samples = voice(number, golden.n_samples(max(golden.FRAMES)))[: golden.n_samples(n_frames)]
            soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
            clips.append((f"T={n_frames}", path))
    return clips


def real_clips() -> list[tuple[str, Path]]:
    """(corpus, file) of every clip in SPEECH_DIR; without it the run says so, or fails where RECORDINGS=required."""
    folder = Path(os.environ.get("SPEECH_DIR", ROOT.parent / "shared/audio"))
    if not (folder / "clips.csv").exists():
        if os.environ.get("RECORDINGS") == "required":
            sys.exit(f"no real speech: {folder}/clips.csv is missing")
        print(f"left out: real speech ({folder}/clips.csv is missing)")
        return []
    with open(folder / "clips.csv", newline="") as file:
        return [(row["corpus"], folder / row["clip"]) for row in csv.DictReader(file)]


def batches(clips: Sequence[Path]) -> Iterable[Sequence[Path]]:
    return (clips[i : i + BATCH] for i in range(0, len(clips), BATCH))


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def compare_features(ours: OurEngine, clips: list[tuple[str, Path]]) -> bool:
    table = Table({"fbank max": FBANK_MAX, "fbank mean": FBANK_MEAN})
    for i, (group, clip) in enumerate(clips):
        progress(f"features {i + 1}/{len(clips)}")
        got, expected = ours.fbank(clip), fbank(read_samples(clip), torch.float64).numpy()
        row = table.row(group)
        row.clips += 1
        error = np.abs(got - expected) if got.shape == expected.shape else np.array([np.inf])
        row.add("fbank max", float(error.max()))
        row.add("fbank mean", float(error.mean()))
    progress("")
    return table.print()


def compare_embeddings(pairs: list[tuple[str, OurEngine, Engine]], clips: list[tuple[str, Path]]) -> bool:
    columns = {}
    for label, _, _ in pairs:
        columns |= {f"{label} rel": RELATIVE, f"{label} 1-cos": 1 - COSINE}
    table = Table(columns)
    files = [clip for _, clip in clips]
    for group, _ in clips:
        table.row(group).clips += 1
    spread: dict[str, list[np.ndarray]] = {}
    for label, ours, theirs in pairs:
        done, spread[label] = 0, []
        for batch in batches(files):
            expected = theirs.embeddings(batch)
            for got, wanted in zip(ours.embeddings(batch), expected):
                row = table.row(clips[done][0])
                row.add(f"{label} rel", relative(got, wanted))
                row.add(f"{label} 1-cos", one_less_cosine(got, wanted))
                done += 1
            spread[label] += expected
            progress(f"{label} {done}/{len(files)}")
    progress("")
    return table.print() and all(spreads(label, embeddings) for label, embeddings in spread.items())


def spreads(label: str, embeddings: list[np.ndarray]) -> bool:
    """Are the weights such that errors show? Flat ones map every clip to one direction."""
    unit = np.stack([e / np.linalg.norm(e) for e in embeddings])
    cosines = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
    median = float(np.median(cosines))
    print(f"{label}: cosine of different clips: median {median:.2f}, {cosines.min():.2f} to {cosines.max():.2f}")
    return median < SPREAD


def full_size(net: str, folder: Path) -> tuple[Path, Path]:
    """A He-initialised net as .safetensors (nothing folded) and as WeSpeaker's .onnx."""
    model = untrained(RESNETS[net], SEED)
    plain, exported = folder / f"{net}.safetensors", folder / f"{net}.onnx"
    save_file(tensors(model), plain, metadata={"name": net, "untrained": "true"})
    exported.write_bytes(export_torchscript(model, 0.2 * mean_vec(model.arch.dim)))
    return plain, exported


def compare_spellings(program: Path, kernel: str, plain: Path, folder: Path, clips: list[Path]) -> bool:
    """The full-size net from every exporter at hand, on a few clips."""
    model = load_network(plain)
    zero = torch.zeros(model.arch.dim)
    expected = TorchEngine(model, plain.name).embeddings(clips)
    table = Table({"PyTorch rel": RELATIVE, "PyTorch 1-cos": 1 - COSINE})
    spellings = [(f"opset {n}{'' if fold else ' unfolded'}", n, fold) for n in range(14, 21) for fold in (True, False)]
    for name, opset, fold in [*spellings, ("dynamo 18", 18, None), ("dynamo 20", 20, None)]:
        path = folder / "spelling.onnx"
        if fold is None:
            export_dynamo(model, zero, path, opset)
        else:
            path.write_bytes(export_torchscript(model, zero, opset, fold))
        row = table.row(name)
        for got, wanted in zip(OurEngine(program, path, kernel).embeddings(clips), expected):
            row.clips += 1
            row.add("PyTorch rel", relative(got, wanted))
            row.add("PyTorch 1-cos", one_less_cosine(got, wanted))
    return table.print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="resnet34", choices=RESNETS, help="which He-initialised net to judge")
    parser.add_argument("--model", type=Path, help="judge this .safetensors or .onnx instead")
    parser.add_argument("--kernel", default="auto", choices=("auto", "blas", "avx2", "avx512", "neon"))
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/voiceprint")
    parser.add_argument("--work", type=Path, default=ROOT / "build/parity", help="folder for what it makes")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of packages it can do without
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, kernel {args.kernel}")

    found = golden.differences(golden.make())
    print("\n".join(found) or "goldens: as committed")
    generated = generated_clips(args.work / "clips")
    clips = generated + real_clips()
    if args.model is None:
        plain, exported = full_size(args.net, args.work)
    elif args.model.suffix == ".onnx":
        plain = exported = args.model
    else:
        plain, exported = args.model, args.work / "exported.onnx"
        model = load_network(plain)
        exported.write_bytes(export_torchscript(model, torch.zeros(model.arch.dim)))

    twin = TorchEngine(load_network(plain), "PyTorch")
    pairs = [
        ("PyTorch", OurEngine(args.program, plain, args.kernel), twin),
        ("ONNX Runtime", OurEngine(args.program, exported, args.kernel), OnnxEngine(exported)),
    ]
    holds = not found
    holds &= compare_features(pairs[0][1], clips)
    holds &= compare_embeddings(pairs, clips)
    if args.model is None:
        files = [clip for group, clip in generated if group in ("T=9", "T=98")]
        holds &= compare_spellings(args.program, args.kernel, plain, args.work, files)
    print("parity holds" if holds else "PARITY IS MISSED")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
