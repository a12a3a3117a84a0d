#!/usr/bin/env python3
"""What long pauses do to comparisons: error rates at the model's threshold, through the C engine.

Of each speaker in clips.csv, SECONDS of speech are cut out of the clips, end to end, twice where there is
enough. Pairs of different speakers are called one speaker by mistake (false accepts), pairs of one
speaker two (false rejects): bare, and behind a pause of digital silence or of faint noise, a different
one for each. With --plain the engine counts pauses as voice (--speech-only false).
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vptools import engine

RATE_HZ = 16000
SPEECH_DIR = Path(os.environ.get("SPEECH_DIR", "../shared/audio"))
NOISE_DBFS = (-50.0, -70.0)

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Pause:
    """In front of the speech; level_dbfs None is digital silence."""

    seconds: float
    level_dbfs: float | None

    def __str__(self) -> str:
        what = "silence" if self.level_dbfs is None else f"noise at {self.level_dbfs:g} dBFS"
        return f"{self.seconds:g} s of {what}"


def read_speech(folder: Path, seconds: float, most: int = 2) -> dict[str, list[Samples]]:
    """speaker -> up to `most` pieces of that much speech, which have no sample in common."""
    import soundfile

    clips = defaultdict(list)
    with (folder / "clips.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            clips[row["speaker"]].append(row["clip"])
    n, found = int(seconds * RATE_HZ), {}
    for speaker, names in sorted(clips.items()):
        joined = np.concatenate([soundfile.read(folder / name)[0] for name in names])
        pieces = [joined[i * n : (i + 1) * n] for i in range(min(most, len(joined) // n))]
        if pieces:
            found[speaker] = pieces
    return found


def pairs_of_two(speakers: list[str], number: int) -> list[tuple[str, str]]:
    """So many pairs of different speakers: each with the next, each with the next but one, ..."""
    n = len(speakers)
    pairs = [(speakers[i], speakers[(i + step) % n]) for step in range(1, (n - 1) // 2 + 1) for i in range(n)]
    return pairs[:number]


def behind(pause: Pause | None, speech: Samples, seed: int) -> Samples:
    if pause is None:
        return speech
    n = int(pause.seconds * RATE_HZ)
    if pause.level_dbfs is None:
        return np.concatenate([np.zeros(n), speech])
    noise = np.random.default_rng(seed).standard_normal(n) * 10 ** (pause.level_dbfs / 20)
    return np.concatenate([noise, speech])


def rates(speech: dict[str, list[Samples]], pairs: list[tuple[str, str]], pause: Pause | None,
          options: tuple[str, ...], model: Path | None, threshold: float) -> dict[str, float]:  # fmt: skip
    """Shares of the pairs of two speakers that are accepted, and of those of one that are not."""
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for i, (speaker, pieces) in enumerate(speech.items()):
            for k, piece in enumerate(pieces):
                paths[speaker, k] = Path(folder) / f"{speaker}-{k}.wav"
                soundfile.write(paths[speaker, k], behind(pause, piece, 2 * i + k), RATE_HZ, subtype="PCM_16")
        found = engine.embed(list(paths.values()), model, options=options)
    vectors = {key: found[path] for key, path in paths.items()}
    accepted = [vectors[a, 0] @ vectors[b, 0] >= threshold for a, b in pairs]
    rejected = [vectors[s, 0] @ vectors[s, 1] < threshold for s, k in vectors if k == 1]
    return {"false_accepts": float(np.mean(accepted)), "false_rejects": float(np.mean(rejected))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, default=SPEECH_DIR, help="folder with clips.csv (default $SPEECH_DIR)")
    parser.add_argument("--model", type=Path, help="default: the model in the box")
    parser.add_argument("--pairs", type=int, default=84, help="of different speakers (default 84)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of speech (default 5)")
    parser.add_argument("--pauses", type=float, nargs="*", default=[30.0, 50.0], help="seconds (default 30 50)")
    parser.add_argument("--plain", action="store_true", help="count pauses as voice")
    args = parser.parse_args()
    if not (args.clips / "clips.csv").exists():
        sys.exit(f"{args.clips} has no clips.csv: name a folder of recordings with --clips or SPEECH_DIR")
    speech = read_speech(args.clips, args.seconds)
    pairs = pairs_of_two(list(speech), args.pairs)
    options = ("--speech-only", "false") if args.plain else ()
    threshold = float(engine.info(args.model)["threshold"])
    print(f"{len(pairs)} pairs of two speakers, {sum(len(p) == 2 for p in speech.values())} of one, "
          f"{args.seconds:g} s of speech each, threshold {threshold:.4f}")  # fmt: skip
    levels = (None, *NOISE_DBFS)
    for pause in (None, *(Pause(seconds, level) for seconds in args.pauses for level in levels)):
        found = rates(speech, pairs, pause, options, args.model, threshold)
        print(f"{'behind ' + str(pause) if pause else 'bare':36} false accepts {100 * found['false_accepts']:5.1f} %, "
              f"false rejects {100 * found['false_rejects']:5.1f} %", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
