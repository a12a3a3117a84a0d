"""Speech-like test signals from a formula: no recording of anybody is needed or stored.

A voice is a pitch, a vocal tract length and a breathiness, all drawn from its number. It speaks
random syllables, about four a second: harmonics of a gliding pitch, weighted by three gliding
formants, and breath noise, under a syllable-shaped envelope.
"""

from __future__ import annotations

import numpy as np

RATE_HZ = 16000
VOWELS_HZ = np.array(  # first three formants of a, e, i, o, u, schwa
    [[750, 1200, 2500], [500, 1850, 2500], [300, 2250, 3000], [480, 850, 2450], [320, 800, 2250], [500, 1500, 2500]]
)


def voice(number: int, n_samples: int) -> np.ndarray:
    """Samples of one voice, int16 [n_samples], 16 kHz. The same on every machine and call."""
    rng = np.random.default_rng(number)
    pitch_hz = 80 * 2 ** rng.uniform(0, 1.6)
    tract = rng.uniform(0.85, 1.2)  # scales every formant
    tilt = rng.uniform(0.7, 1.4)
    breath = rng.uniform(0.01, 0.12)

    t = np.arange(n_samples) / RATE_HZ
    n_syllables = int(t[-1] * 4) + 3
    pauses = 0.4 * (rng.random(n_syllables) < 0.15)
    marks = np.cumsum(rng.uniform(0.15, 0.35, n_syllables) + pauses) - 0.2  # seconds
    formants = VOWELS_HZ[rng.integers(0, len(VOWELS_HZ), n_syllables)] * tract
    formants = formants * rng.uniform(0.95, 1.05, formants.shape)
    loud = rng.uniform(0.3, 1.0, n_syllables)
    bend = rng.uniform(0.85, 1.2, n_syllables)

    pitch = pitch_hz * np.interp(t, marks, bend)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    tracks = np.stack([np.interp(t, marks, formants[:, i]) for i in range(3)])
    gap = np.abs(t[:, None] - marks[None, :]).min(axis=1)
    envelope = np.interp(t, marks, loud) * np.exp(-((gap / 0.07) ** 2))

    out = np.zeros(n_samples)
    for k in range(1, int(7600 / pitch_hz) + 1):
        hz = k * pitch
        gain = sum(1 / (1 + ((hz - track) / (60 + 0.05 * track)) ** 2) for track in tracks)
        out += np.where(hz < 7800, (gain + 0.001) / k ** (tilt - 0.5), 0) * np.sin(k * phase)
    out = envelope * (out / np.abs(out).max() + breath * rng.standard_normal(n_samples))

    spectrum = np.fft.rfft(out)  # the microphone: a slope in dB, then a room that hums and hisses
    octaves = np.log2(np.maximum(np.fft.rfftfreq(n_samples, 1 / RATE_HZ), 50) / 1000)
    spectrum *= 10 ** (rng.uniform(-9, 3) * octaves / 20)
    room = np.fft.rfft(rng.standard_normal(n_samples)) * 10 ** (rng.uniform(-9, 0) * octaves / 20)
    out = np.fft.irfft(spectrum, n_samples) + 10 ** rng.uniform(-5.5, -2.5) * np.fft.irfft(room, n_samples)
    level = rng.uniform(0.05, 0.7) / np.abs(out).max()
    return np.round(out * level * 32767).astype(np.int16)
