"""Recorded speech with labels of where in it somebody speaks, and recorded noise.

Labels are taken from the level of the clean recording, before anything is mixed in: what stands
clearly above the recording's own floor and is not far below its loud parts. Clicks shorter than
SHORTEST_HOPS are not speech; pauses up to BRIDGED_HOPS inside a sentence are, as annotators of
conversations have it; a little is added at either end, where weak consonants lie.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy import ndimage, signal

RATE_HZ = 16000
HOP = 160  # samples, 10 ms
ABOVE_FLOOR_DB = 9.0
BELOW_LOUD_DB = 33.0
LEAST_CONTRAST_DB = 18.0  # between floor and loud parts; with less nobody can tell where speech is
SHORTEST_HOPS = 6
BRIDGED_HOPS = 30
ENDS_HOPS = 4
HELD_OUT_EVERY = 20  # speakers and noises kept out of training, to choose settings on


@dataclass(frozen=True)
class Segment:
    """One utterance: samples [n HOP] int16, speech [n] bool."""

    samples: np.ndarray
    speech: np.ndarray


def hop_levels(samples: np.ndarray) -> np.ndarray:
    """Level of each 10 ms above 120 Hz, over 30 ms, dB; where hum and breath on the microphone lie
    is left out. [n HOP] -> [n]"""
    sos = signal.butter(2, 120, "highpass", fs=RATE_HZ, output="sos")
    power = np.square(signal.sosfilt(sos, samples)).reshape(-1, HOP).mean(1)
    return 10 * np.log10(ndimage.uniform_filter1d(power, 3) + 1e-10)


def runs(mask: np.ndarray) -> np.ndarray:
    """First and one past the last of each run of True, [k, 2]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2)


def bridge(speech: np.ndarray, most: int) -> np.ndarray:
    """Fill gaps of up to `most` hops between speech."""
    out = speech.copy()
    for first, end in runs(~speech):
        if first > 0 and end < len(speech) and end - first <= most:
            out[first:end] = True
    return out


def find_speech(samples: np.ndarray) -> np.ndarray | None:
    """Clean speech in [-1, 1], [n HOP] -> where it is, bool [n]; None if that cannot be told."""
    levels = hop_levels(samples)
    floor, loud = np.percentile(levels, [5, 95])
    if loud - floor < LEAST_CONTRAST_DB:
        return None
    speech = levels > max(floor + ABOVE_FLOOR_DB, loud - BELOW_LOUD_DB)
    speech = bridge(speech, 3)
    for first, end in runs(speech):
        if end - first < SHORTEST_HOPS:
            speech[first:end] = False
    if not speech.any():
        return None
    return bridge(ndimage.binary_dilation(speech, iterations=ENDS_HOPS), BRIDGED_HOPS)


def read_16k(path: Path) -> np.ndarray:
    """A mono recording in [-1, 1] at 16 kHz, float32."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(1)
    return mono if rate_hz == RATE_HZ else soxr.resample(mono, rate_hz, RATE_HZ)


def to_int16(samples: np.ndarray) -> np.ndarray:
    return np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)


def read_speech(folder: Path) -> tuple[list[list[Segment]], list[np.ndarray]]:
    """The utterances of each speaker in segments.csv, and the longer pauses within them."""
    rows: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    with (folder / "segments.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            rows[row["speaker"]].append((row["file"], float(row["start_s"]), float(row["seconds"])))
    speakers, pauses = [], []
    for name in sorted(rows):
        waves = {file: read_16k(folder / file) for file in {row[0] for row in rows[name]}}
        segments = []
        for file, start_s, seconds in rows[name]:
            first, n_hops = int(start_s * RATE_HZ), int(seconds * RATE_HZ) // HOP
            samples = waves[file][first : first + n_hops * HOP]
            samples = samples[: len(samples) // HOP * HOP]
            speech = find_speech(samples) if len(samples) > 20 * HOP else None
            if speech is None:
                continue
            segments.append(Segment(to_int16(samples), speech))
            away = ~ndimage.binary_dilation(speech, iterations=4)
            pauses += [to_int16(samples[a * HOP : b * HOP]) for a, b in runs(away) if b - a >= 15]
        if segments:
            speakers.append(segments)
        if len(speakers) % 300 == 299:
            print(f"read {len(speakers)} of {len(rows)} speakers", flush=True)
    return speakers, pauses


def read_noise(folder: Path) -> dict[str, list[np.ndarray]]:
    """Recordings by kind, which is the folder that each lies in: music, human, event, ambience."""
    found: dict[str, list[np.ndarray]] = {}
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        sounds = [read_16k(path) for path in sorted(kind.iterdir())]
        found[kind.name] = [x / np.abs(x).max() for x in sounds if len(x) > HOP and np.abs(x).max() > 1e-4]
    return found


def split(things: list, held_out: bool) -> list:
    """The part to train on, or the part kept out; too few things are not split."""
    if len(things) < HELD_OUT_EVERY:
        return things
    return [x for i, x in enumerate(things) if (i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == held_out]
