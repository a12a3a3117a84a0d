#!/usr/bin/env python3
"""Is the confidence of a turn worth its name? The share of right turns, by confidence.

Diarizes labelled recordings (FOLDER/*.flac beside *.rttm of the same stem, or several such folders)
and maps its speakers one to one to those of the labels, for the longest time in common. A turn is
right when its speaker speaks in at least half of it according to the labels. Turns of recordings in
which one speaker was found have no confidence and are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from itertools import permutations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STEPS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)

Span = tuple[float, float]


def labels_of(path: Path) -> dict[str, list[Span]]:
    """The spans of each speaker of an RTTM file."""
    spans: dict[str, list[Span]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            start = float(fields[3])
            spans.setdefault(fields[7], []).append((start, start + float(fields[4])))
    return spans


def shared_s(turn: dict, spans: list[Span]) -> float:
    return sum(max(0.0, min(turn["end"], end) - max(turn["start"], start)) for start, end in spans)


def mapping(turns: list[dict], labels: dict[str, list[Span]]) -> dict[str, str]:
    """Found speaker -> labelled one, one to one, for the longest time in common."""
    found = sorted({turn["speaker"] for turn in turns})
    seconds = {(f, l): sum(shared_s(t, spans) for t in turns if t["speaker"] == f)
               for f in found for l, spans in labels.items()}
    few, many = (found, list(labels)) if len(found) <= len(labels) else (list(labels), found)
    best = max(permutations(many, len(few)),
               key=lambda chosen: sum(seconds[(a, b) if few is found else (b, a)] for a, b in zip(few, chosen)))
    pairs = zip(few, best) if few is found else zip(best, few)
    return dict(pairs)


def judged(command: list[str], audio: Path) -> list[tuple[float, bool]]:
    """Confidence, and whether it is right, of each turn of a recording."""
    done = subprocess.run([*command, str(audio)], capture_output=True, text=True, check=True, timeout=600)
    turns = [turn for turn in json.loads(done.stdout)["segments"] if turn["confidence"] is not None]
    labels = labels_of(audio.with_suffix(".rttm"))
    to = mapping(turns, labels)
    return [(turn["confidence"],
             shared_s(turn, labels.get(to.get(turn["speaker"], ""), [])) >= 0.5 * (turn["end"] - turn["start"]))
            for turn in turns]


def report(name: str, turns: list[tuple[float, bool]]) -> None:
    print(f"{name}: {len(turns)} turns")
    for low, high in zip(STEPS, (*STEPS[1:], 1.01)):
        right = [good for confidence, good in turns if low <= confidence < high]
        if right:
            print(f"  {low:.1f} to {min(high, 1):.1f}   {len(right):4} turns   {100 * sum(right) / len(right):5.1f} % right")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="+", type=Path)
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "release" / "voiceprint")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "voiceprint.safetensors")
    parser.add_argument("--segmentation", type=Path, help="segmentation model (default: engine vad)")
    args = parser.parse_args()
    command = [str(args.program), "diarize", "--json", "--model", str(args.model)]
    command += ["--segmentation", str(args.segmentation)] if args.segmentation else ["--engine", "vad"]
    everything: list[tuple[float, bool]] = []
    for folder in args.folder:
        turns: list[tuple[float, bool]] = []
        for audio in sorted(folder.glob("*.flac")):
            print(f"{audio.name} ...", end="\r", file=sys.stderr, flush=True)
            turns += judged(command, audio)
        report(folder.name, turns)
        everything += turns
    report("all", everything)
    return 0 if everything else os.EX_NOINPUT


if __name__ == "__main__":
    sys.exit(main())
