"""Waveform effects for training: synthetic rooms, telephone lines, band limits, clipping.

Everything is generated; no recorded noise or room response is needed.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

RATE = 16000


def room(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Convolve with a synthetic room: a direct path and an exponentially decaying noise tail."""
    rt60 = rng.uniform(0.15, 0.8)
    n = int(rt60 * RATE)
    tail = rng.standard_normal(n) * 10 ** (-3.0 * np.arange(n) / n)
    tail[: int(rng.uniform(0.002, 0.02) * RATE)] = 0.0
    direct_to_tail = 10 ** (rng.uniform(-2, 14) / 20)
    response = tail / np.sqrt(np.sum(tail**2) + 1e-12)
    response[0] = direct_to_tail
    return signal.fftconvolve(samples, response)[: len(samples)]


def mu_law(samples: np.ndarray) -> np.ndarray:
    """G.711 mu-law and back: 8 bits a sample."""
    peak = np.max(np.abs(samples)) + 1e-9
    x = samples / peak
    code = np.round(np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256) * 127) / 127
    return peak * np.sign(code) * np.expm1(np.abs(code) * np.log(256)) / 255


def telephone(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """8 kHz line: 300-3400 Hz or so, mu-law, back to 16 kHz."""
    band = [rng.uniform(150, 350), rng.uniform(3200, 3700)]
    sos = signal.butter(4, band, "bandpass", fs=RATE, output="sos")
    narrow = signal.sosfilt(sos, samples)[::2]
    return signal.resample_poly(mu_law(narrow), 2, 1)[: len(samples)]


def low_pass(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The upper edge of a lossy codec."""
    sos = signal.butter(8, rng.uniform(3500, 7500), "lowpass", fs=RATE, output="sos")
    return signal.sosfilt(sos, samples)


def clip(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Overdriven input: the loudest samples are cut off."""
    limit = np.quantile(np.abs(samples), rng.uniform(0.95, 0.995)) + 1e-6
    return np.clip(samples, -limit, limit)


def degrade(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random chain of the effects above; the length stays the same."""
    out = samples.astype(np.float64)
    if rng.random() < 0.6:
        out = room(out, rng)
    if rng.random() < 0.15:
        out = clip(out, rng)
    draw = rng.random()
    if draw < 0.25:
        out = telephone(out, rng)
    elif draw < 0.5:
        out = low_pass(out, rng)
    if len(out) < len(samples):
        out = np.pad(out, (0, len(samples) - len(out)))
    return out.astype(np.float32)
