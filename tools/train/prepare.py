"""Turn the training speech into features and teacher vectors, once for every playback speed.

Another speed is another set of voices. A folder for each, named by the speed:
  fbank.npy     [N, 80] float16, log-mel, mean not removed; the segments of a speaker joined
  degraded.npy  the same of the same speech, after rooms, telephone lines, band limits and clipping
  teacher.npy   [W, 192] float16, CAM++'s vectors of 3 s windows of the clean speech
  index.npz     speakers, their corpora, and per speaker (first frame, frames, first window, windows)
A folder is complete when its index is there. Stopped and started again, it goes on with the group of
speakers that it was at.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from train import effects, teacher
from vptools import campplus
from vptools.features import RATE_HZ, fbank

SPEEDS = (1.0, 0.9, 1.1, 0.84, 1.18)
GROUP = 150  # speakers between two files on the way
HOP = 160  # samples, 10 ms
SHORTEST = 400 + 10 * HOP  # samples of a speaker, 11 frames
ENDS_DB = 35.0  # the ends of a segment that are quieter than this under its peak are cut off
MARGIN = 800  # samples left around the speech, 50 ms


@dataclass(frozen=True)
class Segment:
    file: str
    corpus: str
    start_s: float
    seconds: float
    source: str  # path inside the corpus


def read_segments(path: Path) -> dict[str, list[Segment]]:
    """segments.csv -> the segments of each speaker."""
    speakers: dict[str, list[Segment]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            at, seconds = float(row["start_s"]), float(row["seconds"])
            speakers[row["speaker"]].append(Segment(row["file"], row["corpus"], at, seconds, row["source"]))
    return dict(speakers)


def trim(samples: np.ndarray) -> np.ndarray:
    """Cut the quiet ends off a segment."""
    n_hops = len(samples) // HOP
    if n_hops < 10:
        return samples
    power = np.square(samples[: n_hops * HOP].reshape(n_hops, HOP)).mean(1) + 1e-12
    loud = np.flatnonzero(power > power.max() * 10 ** (-ENDS_DB / 10))
    return samples[max(0, loud[0] * HOP - MARGIN) : (loud[-1] + 1) * HOP + MARGIN]


def speaker_wave(
    folder: Path, segments: list[Segment], speed: float, rng: np.random.Generator
) -> np.ndarray:
    """All segments of a speaker, trimmed, at that speed, joined in a random order."""
    waves: dict[str, np.ndarray] = {}
    parts = []
    for i in rng.permutation(len(segments)):
        segment = segments[i]
        if segment.file not in waves:
            wave, rate = soundfile.read(folder / segment.file, dtype="float32")
            waves[segment.file] = wave if rate == RATE_HZ else soxr.resample(wave, rate, RATE_HZ)
        first = int(segment.start_s * RATE_HZ)
        part = trim(waves[segment.file][first : first + int(segment.seconds * RATE_HZ)])
        if speed != 1.0:
            part = soxr.resample(part, RATE_HZ * speed, RATE_HZ)
        parts.append(part)
    joined = np.concatenate(parts)
    return np.pad(joined, (0, max(0, SHORTEST - len(joined))))


def degrade(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another chain of effects every 3 to 8 s."""
    parts, at = [], 0
    while at < len(wave):
        n = int(rng.uniform(3, 8) * RATE_HZ)
        parts.append(effects.degrade(wave[at : at + n], rng))
        at += n
    return np.concatenate(parts)


def prepare_group(
    source: Path, speakers: dict[str, list[Segment]], network: campplus.CamPlusPlus, speed: float, seed: int
) -> dict[str, np.ndarray]:
    """The arrays of a variant for some speakers; rows count from the first of them."""
    clean, degraded, waiting, rows = [], [], [], []
    for name, segments in speakers.items():
        rng = np.random.default_rng([seed, *name.encode()])
        wave = speaker_wave(source, segments, speed, rng)
        waiting.append(teacher.cut_windows(campplus.features(wave).numpy()))
        for out, heard in ((clean, wave), (degraded, degrade(wave, rng))):
            dither = rng.standard_normal(len(heard)).astype(np.float32) / 32768  # no digital silence
            out.append(fbank(heard + dither, remove_mean=False).half().numpy())
        rows.append((sum(map(len, clean[:-1])), len(clean[-1]), sum(map(len, waiting[:-1])), len(waiting[-1])))
    vectors = teacher.embed_windows(network, np.concatenate(waiting)).astype(np.float16)
    return {"fbank": np.concatenate(clean), "degraded": np.concatenate(degraded), "teacher": vectors,
            "rows": np.array(rows)}  # fmt: skip


def save_atomically(path: Path, **arrays: object) -> None:
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    os.replace(partial, path)


def join(parts: list[Path], out: Path) -> np.ndarray:
    """The groups' arrays as one file each; returns the rows of all speakers."""
    loaded = [np.load(part) for part in parts]
    rows, first = [], np.zeros(4, dtype=np.int64)
    for part in loaded:
        rows.append(part["rows"] + first)
        first[[0, 2]] += part["rows"][:, [1, 3]].sum(0)
    for name in ("fbank", "degraded", "teacher"):
        np.save(out / f"{name}.npy", np.concatenate([part[name] for part in loaded]))
    return np.concatenate(rows)


def prepare(source: Path, out: Path, network: campplus.CamPlusPlus, speed: float, seed: int) -> None:
    """Write the variant of one speed; index.npz, which says that it is complete, comes last."""
    speakers = read_segments(source / "segments.csv")
    names = sorted(speakers)
    out.mkdir(parents=True, exist_ok=True)
    parts = []
    for first in range(0, len(names), GROUP):
        part = out / f"part-{first:05}.npz"
        parts.append(part)
        if part.exists():
            continue
        began = time.time()
        group = {name: speakers[name] for name in names[first : first + GROUP]}
        save_atomically(part, **prepare_group(source, group, network, speed, seed))
        n_done = min(first + GROUP, len(names))
        print(f"{out.name}: {n_done}/{len(names)} speakers, the last {len(group)} in "
              f"{time.time() - began:.0f} s", flush=True)  # fmt: skip
    rows = join(parts, out)
    corpora = [speakers[name][0].corpus for name in names]
    save_atomically(out / "index.npz", rows=rows, speakers=names, corpora=corpora, speed=speed)
    for part in parts:
        part.unlink()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="folder with segments.csv and the audio")
    parser.add_argument("out", type=Path, help="folder to write a folder for every speed into")
    parser.add_argument("--teacher", type=Path, required=True, help="the checkpoint of CAM++")
    parser.add_argument("--speeds", type=float, nargs="+", default=SPEEDS, metavar="S")
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    network = teacher.load(args.teacher)
    for speed in args.speeds:
        out = args.out / f"speed-{speed:.2f}"
        if not (out / "index.npz").exists():
            prepare(args.source, out, network, speed, args.seed)
