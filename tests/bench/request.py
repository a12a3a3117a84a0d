#!/usr/bin/env python3
"""One request at a time: what surrounds the network, and one clip on two cores.

Asks a running voiceprintd, whose answers say in `timing_ms` where the time went. Overhead is
everything but the network: reading the request, decode, resample, features, hand-over, JSON. The minimum
of many requests counts. Then a 60 s clip, in turn with threads_per_request 1 and auto.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parent))
from net import ROOT, cpu_name  # noqa: E402
from service import Side, clip_wav  # noqa: E402

STAGES = ("queue", "decode", "features", "inference", "total")


def resampled(rate: int, channels: int, form: str, subtype: str | None = None) -> bytes:
    """The 3 s clip at another rate, as a file of libsndfile's."""
    samples, _ = soundfile.read(io.BytesIO(clip_wav(3.0)), dtype="float32")
    at = np.arange(3 * rate) / rate * 16000
    samples = np.interp(at, np.arange(len(samples)), samples)
    out = io.BytesIO()
    soundfile.write(out, np.repeat(samples[:, None], channels, axis=1), rate, format=form, subtype=subtype)
    return out.getvalue()


class Client:
    """One kept connection."""

    def __init__(self, side: Side) -> None:
        self.connection = http.client.HTTPConnection(side.url.removeprefix("http://"), timeout=60)

    def ask(self, clip: bytes) -> dict[str, float]:
        """timing_ms of one request, with `wall`, the client's own clock."""
        begin = time.perf_counter()
        self.connection.request("POST", "/embed", clip)
        reply = self.connection.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 200:
            sys.exit(f"refused: {answer}")
        return {**answer["timing_ms"], "wall": 1e3 * (time.perf_counter() - begin)}


def measure_overhead(side: Side, repeat: int) -> None:
    clips = {
        "16 kHz wav": clip_wav(3.0),
        "48 kHz stereo wav": resampled(48000, 2, "WAV"),
        "44.1 kHz stereo flac": resampled(44100, 2, "FLAC"),
        "48 kHz stereo mp3": resampled(48000, 2, "MP3"),
        "48 kHz ogg opus": resampled(48000, 2, "OGG", "OPUS"),
    }
    client = Client(side)
    print("\n| 3 s, ms | decode | features | network | the rest | overhead |\n|---|---|---|---|---|---|")
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in clips}
    for _ in range(repeat):
        for name, clip in clips.items():
            samples[name].append(client.ask(clip))
    for name, answers in samples.items():
        best = {stage: min(a[stage] for a in answers) for stage in STAGES}
        rest = min(a["total"] - a["decode"] - a["features"] - a["inference"] for a in answers)
        around = best["decode"] + best["features"] + rest
        print(f"| {name} | {best['decode']:.2f} | {best['features']:.2f} | {best['inference']:.2f} "
              f"| {rest:.2f} | {100 * around / best['inference']:.1f} % |")


def measure_threads(program: Path, model: Path, repeat: int) -> None:
    clip = clip_wav(60.0)
    sides = [make_side(program, model, threads) for threads in ("1", "auto")]
    clients = []
    for side in sides:
        side.start()
        clients.append(Client(side))
    times: list[list[float]] = [[], []]
    for number in range(repeat + 1):
        for i in range(2):
            answer = clients[i].ask(clip)
            if number > 0:  # the first warms up
                times[i].append(answer["wall"])
    for side in sides:
        side.stop()
    one, two = (min(t) for t in times)
    ratios = np.array(times[0]) / np.array(times[1])
    print(f"\na 60 s clip, two workers: threads_per_request 1 {one:.0f} ms, auto {two:.0f} ms: {one / two:.2f}x"
          f" (median of the pairs {np.median(ratios):.2f}, best {ratios.max():.2f})")


def make_side(program: Path, model: Path, threads: str) -> Side:
    return Side("voiceprintd", [str(program.resolve()), "--listen", "127.0.0.1:{port}", "--model", str(model.resolve()),
                                "--workers", "2", "--threads-per-request", threads, "--log-level", "warn",
                                "--drain-delay-s", "0"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/voiceprintd")
    parser.add_argument("--model", type=Path, default=ROOT / "models/voiceprint.safetensors")
    parser.add_argument("--repeat", type=int, default=40)
    options = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:2]))
    print(f"{cpu_name()}, load {os.getloadavg()[0]:.1f}")
    side = make_side(options.program, options.model, "1")
    side.start()
    measure_overhead(side, options.repeat)
    side.stop()
    measure_threads(options.program, options.model, max(5, options.repeat // 3))
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
