"""The reference signal of core/voice/self_test.c, from its formula: what a model file's `self_test` is of.

Two seconds of a pulse train at 110 Hz through three resonators, a vowel that changes half way,
with a little noise.
"""

from __future__ import annotations

import math

import numpy as np

RATE_HZ = 16000
N_SAMPLES = 2 * RATE_HZ
PITCH_HZ = 110.0
FORMANTS_HZ = ((700.0, 1220.0, 2600.0), (270.0, 2290.0, 3010.0))  # first half, second half
BANDWIDTH_HZ = 80.0
PEAK = 0.5


def signal() -> np.ndarray:
    """float32 [32000], 16 kHz, peak 0.5."""
    radius = math.exp(-math.pi * BANDWIDTH_HZ / RATE_HZ)
    state = [[0.0, 0.0] for _ in FORMANTS_HZ[0]]
    phase, noise, out = 0.0, 1, np.zeros(N_SAMPLES)
    for i in range(N_SAMPLES):
        phase += PITCH_HZ / RATE_HZ
        x = 1.0 if phase >= 1.0 else 0.0
        phase -= x
        noise = (noise * 1664525 + 1013904223) % 2**32  # Numerical Recipes' generator
        x += ((noise >> 16) / 65536.0 - 0.5) * 0.02
        for y, hz in zip(state, FORMANTS_HZ[2 * i // N_SAMPLES]):
            turn = math.cos(2.0 * math.pi * hz / RATE_HZ)
            y[0], y[1] = x + 2.0 * radius * turn * y[0] - radius * radius * y[1], y[0]
        out[i] = sum(y[0] for y in state)
    return (out.astype(np.float32) * (PEAK / np.abs(out).max())).astype(np.float32)
