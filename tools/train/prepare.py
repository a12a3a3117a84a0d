"""Turn the training speech into features and teacher vectors, one variant at a time.

A variant is the whole corpus at one playback speed (another speed is another set of voices), clean
or degraded, the segments of a speaker joined in an order of its own:
  fbank.npy    [N, 80] float16, log-mel, mean not removed
  teacher.npy  [W, 256] float16, GE2E vectors of 1.6 s windows every 0.8 s
  index.npz    speakers, their corpora, and per speaker (first frame, frames, first window, windows)
A teacher vector is always that of the clean wave, also where the features are of a degraded one.
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
from vptools.features import RATE_HZ, fbank

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


def read_segments(path: Path) -> dict[str, list[Segment]]:
    """segments.csv -> the segments of each speaker."""
    speakers: dict[str, list[Segment]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            segment = Segment(row["file"], row["corpus"], float(row["start_s"]), float(row["seconds"]))
            speakers[row["speaker"]].append(segment)
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


def prepare(source: Path, out: Path, speed: float, degraded: bool, seed: int) -> None:
    """Write one variant; index.npz, which says that it is complete, comes last."""
    rng = np.random.default_rng(seed)
    speakers = read_segments(source / "segments.csv")
    names = sorted(speakers)
    encoder = teacher.load()
    frames, vectors, waiting = [], [], []  # per speaker; batches of windows; windows yet to embed
    rows, n_frames, n_windows, began = [], 0, 0, time.time()
    for k, name in enumerate(names):
        wave = speaker_wave(source, speakers[name], speed, rng)
        waiting.append(teacher.cut_windows(teacher.mel_power(wave)))
        heard = degrade(wave, rng) if degraded else wave
        dither = rng.standard_normal(len(heard)).astype(np.float32) / 32768  # no digital silence
        frames.append(fbank(heard + dither, remove_mean=False).half().numpy())
        rows.append((n_frames, len(frames[-1]), n_windows, len(waiting[-1])))
        n_frames += len(frames[-1])
        n_windows += len(waiting[-1])
        if sum(map(len, waiting)) > 1024 or k == len(names) - 1:
            vectors.append(teacher.embed_windows(encoder, np.concatenate(waiting)))
            waiting = []
        if k % 100 == 99:
            left = (time.time() - began) / (k + 1) * (len(names) - k - 1)
            print(f"{out.name}: {k + 1}/{len(names)} speakers, {left:.0f} s left", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "fbank.npy", np.concatenate(frames))
    np.save(out / "teacher.npy", np.concatenate(vectors).astype(np.float16))
    partial = out / "partial.npz"
    corpora = [speakers[name][0].corpus for name in names]
    np.savez(partial, rows=rows, speakers=names, corpora=corpora, speed=speed)
    os.replace(partial, out / "index.npz")
    print(f"{out.name}: {n_frames / 360000:.2f} h in {time.time() - began:.0f} s", flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="folder with segments.csv and the audio")
    parser.add_argument("out", type=Path, help="folder of the variant to write")
    parser.add_argument("--speed", type=float, default=1.0, help="playback speed (default 1)")
    parser.add_argument("--degraded", action="store_true", help="rooms, telephone lines, band limits")
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)  # one variant per core prepares faster than one on all
    prepare(args.source, args.out, args.speed, args.degraded, args.seed)
