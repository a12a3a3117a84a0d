#!/usr/bin/env python3
"""Makes the three short clips that come with the pages: voice A twice, voice B once.

No recording of anybody: a pulse train through moving formants, after the classical source-filter
model, the same bytes on every machine. Standard library only, since every build runs it.
"""

from __future__ import annotations

import argparse
import math
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path

RATE = 16000
SYLLABLE_S = 0.24
GAP_S = 0.05
HISS_S = 0.06  # at the head of each syllable: "s" rather than a bare vowel
HISS = 0.1  # beside vowels of peak 1
PEAK = 0.6

# Formants in Hz of an adult man's vowels (Peterson and Barney 1952), and usual ones above.
VOWELS = {
    "i": (270, 2290, 3010, 3600, 4600, 5800), "e": (530, 1840, 2480, 3500, 4500, 5700),
    "a": (730, 1090, 2440, 3400, 4400, 5600), "o": (570, 840, 2410, 3300, 4300, 5500),
    "u": (300, 870, 2240, 3200, 4200, 5400),
}
BANDWIDTHS = (60, 90, 130, 200, 300, 400)


@dataclass(frozen=True)
class Voice:
    """What stays the same from one sentence of a person to the next."""

    pitch_hz: float
    tract: float  # formants are multiplied by this: a shorter tract has higher ones
    breath: float  # noise beside the pulses


CLIPS = {
    "voice-a-1.wav": (Voice(112, 1.0, 0.02), "aieoaueia"),
    "voice-a-2.wav": (Voice(112, 1.0, 0.02), "eoiauoeai"),
    "voice-b-1.wav": (Voice(208, 1.19, 0.05), "aeiuoaeoi"),
}


class Noise:
    """Uniform in [-1, 1): a linear congruential generator, the same everywhere."""

    def __init__(self) -> None:
        self.state = 20231

    def next(self) -> float:
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return self.state / 2**31 - 1.0


def source(voice: Voice, n: int, noise: Noise) -> list[float]:
    """Glottal pulses with a falling, slightly unsteady pitch, softened by 6 dB an octave."""
    out, phase, soft = [], 0.0, 0.0
    soften = math.exp(-2 * math.pi * 350 / RATE)
    for i in range(n):
        t = i / RATE
        pitch = voice.pitch_hz * (1.08 - 0.07 * t + 0.03 * math.sin(2 * math.pi * 2.1 * t))
        phase += pitch / RATE
        pulse = 0.0
        if phase >= 1.0:
            phase -= 1.0
            pulse = 1.0 + 0.05 * noise.next()
        soft += (1 - soften) * (pulse + voice.breath * noise.next() - soft)
        out.append(soft)
    return out


def resonate(samples: list[float], track: list[float], bandwidth: float) -> list[float]:
    """A second-order resonator whose frequency follows track, in Hz; gain 1 at 0 Hz."""
    radius = math.exp(-math.pi * bandwidth / RATE)
    out, y1, y2 = [], 0.0, 0.0
    for x, hz in zip(samples, track):
        b = 2 * radius * math.cos(2 * math.pi * hz / RATE)
        c = -radius * radius
        y = (1 - b - c) * x + b * y1 + c * y2
        y1, y2 = y, y1
        out.append(y)
    return out


def speak(voice: Voice, vowels: str) -> array[int]:
    """Syllables, each a hiss and a vowel, with short gaps -> 16-bit samples."""
    per = int(SYLLABLE_S * RATE)
    n = per * len(vowels)
    samples = source(voice, n, Noise())
    for k, bandwidth in enumerate(BANDWIDTHS):
        track, hz = [], VOWELS[vowels[0]][k] * voice.tract
        for vowel in vowels:
            target = VOWELS[vowel][k] * voice.tract
            for _ in range(per):
                hz += (target - hz) / (0.03 * RATE)  # the tongue takes its time
                track.append(hz)
        samples = resonate(samples, track, bandwidth)
    gap, hiss, noise, before = int(GAP_S * RATE), int(HISS_S * RATE), Noise(), 0.0
    loudest = max(abs(x) for x in samples)
    for i in range(n):
        into = min(i % per, per - i % per)
        samples[i] *= (min(1.0, into / gap) ** 2 + 0.002) / loudest
        now = noise.next()
        if i % per < hiss:
            samples[i] += HISS * math.sin(math.pi * (i % per) / hiss) * (now - before) / 2
        before = now
    peak = max(abs(x) for x in samples)
    return array("h", (round(32767 * PEAK * x / peak) for x in samples))


def save(file: Path, samples: array[int]) -> Path:
    """16-bit samples at RATE -> a WAV file."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return file


def write(file: Path, voice: Voice, vowels: str) -> Path:
    return save(file, speak(voice, vowels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the clips")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, (voice, vowels) in CLIPS.items():
        write(args.out / name, voice, vowels)


if __name__ == "__main__":
    main()
