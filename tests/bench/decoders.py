#!/usr/bin/env python3
"""What it costs to decode in sealed processes: decoder=sandbox beside decoder=inline, one binary, in turn.

A 3 s clip as WAV, FLAC and MP3 and a 60 s WAV, one at a time: the median of the differences of neighbours, so
that what else the machine does falls on both. Then wrk, two workers and eight clients, in turn: clips a second
and processor time a clip, decoders included. Then memory, and how long it takes until a worker whose decoder was
killed answers again, beside what it takes anyway.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from net import ROOT, cpu_name  # noqa: E402
from request import Client, resampled  # noqa: E402
from service import Side, clip_wav  # noqa: E402

KINDS = ("sandbox", "inline")


def make_side(program: Path, model: Path, decoder: str, workers: int) -> Side:
    side = Side(decoder, [str(program.resolve()), "--listen", "127.0.0.1:{port}", "--model", str(model.resolve()), "--decoder", decoder,
                          "--workers", str(workers), "--queue-size", "64", "--log-level", "warn", "--drain-delay-s", "0"])
    side.start()
    return side


def measure_clips(sides: list[Side], repeat: int) -> None:
    clips = {"3 s wav": clip_wav(3.0), "3 s flac": resampled(16000, 1, "FLAC"), "3 s mp3": resampled(16000, 1, "MP3"), "60 s wav": clip_wav(60.0)}
    clients = [Client(side) for side in sides]
    print("\n| ms | decode, sandbox | decode, inline | the same at best | more in all, median of neighbours | its quartiles | of an answer |\n|---|---|---|---|---|---|---|")
    for name, clip in clips.items():
        answers: list[list[dict[str, float]]] = [[], []]
        for number in range(repeat + 1):
            for i in (0, 1) if number % 2 else (1, 0):
                answers[i].append(clients[i].ask(clip))
        wall = np.array([[answer["wall"] for answer in side[1:]] for side in answers])
        decode = np.array([[answer["decode"] for answer in side[1:]] for side in answers])
        middle, best = np.median(decode, axis=1), decode.min(axis=1)
        more = np.quantile(wall[0] - wall[1], (0.25, 0.5, 0.75))
        print(f"| {name} | {middle[0]:.2f} | {middle[1]:.2f} | {best[0]:.2f} and {best[1]:.2f} "
              f"| {more[1]:+.2f} | {more[0]:+.2f} to {more[2]:+.2f} | {100 * more[1] / np.median(wall[1]):+.1f} % |", flush=True)


def measure_rate(sides: list[Side], rounds: int, seconds: float) -> None:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(clip_wav(3.0))
        file.flush()
        for number in range(rounds):
            for i in (0, 1) if number % 2 else (1, 0):
                sides[i].rounds.append(sides[i].load(Path(file.name), seconds, 8))
    for side in sides:
        print(f"{side.name}: {side.best('rate'):.2f} clips/s at best, {side.median('rate'):.2f} in the middle; {side.median('cpu_ms'):.2f} ms of CPU a clip")
    one, two = (np.array([[r["rate"], 1 / r["cpu_ms"]] for r in side.rounds]) for side in sides)
    for name, ratios in zip(("clips/s", "clips a CPU second"), (one / two).T):
        print(f"{name}, sandbox over inline, round by round: median {np.median(ratios):.3f}, {ratios.min():.3f} to {ratios.max():.3f}")


def shared_fairly_mib(side: Side) -> float:
    """Memory in use now; a page that several processes have counts once."""
    pages = (Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in side.processes())
    return sum(int(line.split()[1]) for process in pages for line in process if line.startswith("Pss:")) / 1024


def measure_replacement(side: Side, n: int) -> None:
    """Killed while nobody asks: the next clip finds that out, and waits for a new one."""
    clip, client = clip_wav(3.0), Client(side)
    plain, replaced = [], []
    for _ in range(n):
        plain.append(client.ask(clip)["wall"])
        (decoder,) = side.processes()[2:]
        os.kill(int(decoder), signal.SIGSEGV)
        while Path(f"/proc/{decoder}").exists():
            time.sleep(0.001)
        replaced.append(client.ask(clip)["wall"])
    more = np.array(replaced) - np.array(plain)
    print(f"a clip after its worker's decoder crashed: {np.median(more):+.1f} ms in the middle, {more.max():+.1f} at most, of {n} (aim: 50)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/voiceprintd")
    parser.add_argument("--model", type=Path, default=ROOT / "models/voiceprint.safetensors")
    parser.add_argument("--repeat", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:2]))
    print(f"{cpu_name()}, load {os.getloadavg()[0]:.1f}")
    sides = [make_side(options.program, options.model, kind, 2) for kind in KINDS]
    measure_clips(sides, options.repeat)
    print()
    measure_rate(sides, options.rounds, options.seconds)
    print(f"memory, both workers having decoded: {' and '.join(f'{shared_fairly_mib(side):.0f} MiB {side.name}' for side in sides)}")
    for side in sides:
        side.stop()
    single = make_side(options.program, options.model, "sandbox", 1)
    measure_replacement(single, 40)
    single.stop()
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
