#!/usr/bin/env python3
"""Misses and false alarms of the speech detector on labelled recordings, through the C engine.

Each folder is a set: recordings of 16 kHz mono (NAME.flac or .wav), and beside each its NAME.rttm;
whoever speaks, it is speech. Times are compared to the millisecond, without a collar; all figures
are shares of the labelled speech of a whole set. With --webrtc the detector of WebRTC is measured
beside it (PyPI webrtcvad-wheels), bare and smoothed: pauses under 0.3 s filled, then speech under 0.2 s
dropped, which suits it better than the other way round.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "build" / "release" / "tests" / "bench" / "speech"
MODES = (1, 2, 3)
FRAME_MS = 30
SHORTEST_MS, BRIDGED_MS = 200, 300


@dataclass(frozen=True)
class Recording:
    path: Path
    n_ms: int
    speech: np.ndarray  # bool [n_ms]


def read_rttm(lines: list[str], n_ms: int) -> np.ndarray:
    """RTTM -> where anybody speaks, bool [n_ms]."""
    speech = np.zeros(n_ms, dtype=bool)
    for fields in (line.split() for line in lines):
        if fields and fields[0] == "SPEAKER":
            start_s, length_s = float(fields[3]), float(fields[4])
            speech[round(1000 * start_s) : round(1000 * (start_s + length_s))] = True
    return speech


def read_set(folder: Path, left_out: set[str]) -> list[Recording]:
    import soundfile

    found = []
    for path in sorted([*folder.glob("*.flac"), *folder.glob("*.wav")]):
        labels = path.with_suffix(".rttm")
        if path.stem not in left_out and labels.exists():
            n_ms = int(soundfile.info(path).duration * 1000)
            speech = read_rttm(labels.read_text(encoding="utf-8").splitlines(), n_ms)
            found.append(Recording(path, n_ms, speech))
    if not found:
        sys.exit(f"{folder}: no recording with an .rttm beside it")
    return found


def ours(program: Path, recording: Recording, settings: list[str]) -> np.ndarray:
    done = subprocess.run([str(program), *settings, str(recording.path)], capture_output=True, text=True,
                          check=True, timeout=600)  # fmt: skip
    return read_rttm(done.stdout.splitlines(), recording.n_ms)


def webrtc(recording: Recording, mode: int) -> np.ndarray:
    import soundfile
    import webrtcvad

    vad = webrtcvad.Vad(mode)
    samples, rate_hz = soundfile.read(recording.path, dtype="int16")
    n = rate_hz * FRAME_MS // 1000
    speech = np.zeros(recording.n_ms, dtype=bool)
    for k in range(len(samples) // n):
        frame = samples[k * n : (k + 1) * n].tobytes()
        speech[k * FRAME_MS : (k + 1) * FRAME_MS] = vad.is_speech(frame, rate_hz)
    return speech


def smooth(speech: np.ndarray) -> np.ndarray:
    """Short pauses filled, then short speech dropped."""
    out = speech.copy()
    for value, shortest in ((False, BRIDGED_MS), (True, SHORTEST_MS)):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], out == value, [False]]).astype(np.int8)))
        for first, end in edges.reshape(-1, 2):
            if end - first < shortest and (value or (first > 0 and end < len(out))):
                out[first:end] = not value
    return out


def row(name: str, sets: dict[str, list[Recording]], said: dict[Path, np.ndarray]) -> str:
    cells = []
    for recordings in sets.values():
        missed = false = total = 0
        for recording in recordings:
            missed += int((recording.speech & ~said[recording.path]).sum())
            false += int((~recording.speech & said[recording.path]).sum())
            total += int(recording.speech.sum())
        parts = [100 * x / total for x in (missed, false, missed + false)]
        cells.append(f"{parts[0]:.1f} + {parts[1]:.1f} = {parts[2]:.1f}")
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="sets: recordings with .rttm beside them")
    parser.add_argument("--program", type=Path, default=PROGRAM, help="make build/release/tests/bench/speech")
    parser.add_argument("--leave-out", default="", help="names of recordings, with commas between them")
    parser.add_argument("--set", action="append", default=[], help="a setting, as on=0.6 or pad=0")
    parser.add_argument("--webrtc", action="store_true", help="measure WebRTC's detector too")
    args = parser.parse_args()
    sets = {folder.name: read_set(folder, set(args.leave_out.split(","))) for folder in args.folders}
    recordings = [recording for found in sets.values() for recording in found]

    print("missed + false alarms = both, % of the labelled speech\n")
    print("| | " + " | ".join(f"{name} ({len(found)})" for name, found in sets.items()) + " |")
    print("|---" * (len(sets) + 1) + "|")
    print(row("ours", sets, {r.path: ours(args.program, r, args.set) for r in recordings}), flush=True)
    for mode in MODES if args.webrtc else ():
        said = {r.path: webrtc(r, mode) for r in recordings}
        print(row(f"WebRTC {mode}", sets, said), flush=True)
        print(row(f"WebRTC {mode}, smoothed", sets, {k: smooth(v) for k, v in said.items()}), flush=True)


if __name__ == "__main__":
    main()
