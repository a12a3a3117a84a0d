"""What telephones and recorders put on a line while nobody speaks: tones by cadence, DTMF, fax and
modems, and music on hold. Everything is generated, with frequencies and cadences about those of the
world's networks (ITU-T E.180, E.182, Q.23, T.30) and between them.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

RATE_HZ = 16000
RAMP_S = 0.004  # a tone does not begin with a click
DTMF_LOW_HZ = (697, 770, 852, 941)
DTMF_HIGH_HZ = (1209, 1336, 1477, 1633)
# Frequencies that sound at once.
CALL_TONES_HZ = ((425,), (440, 480), (400, 450), (400,), (350, 440), (480, 620), (450,), (425, 25))
MARKS_HZ = ((1650, 1850), (980, 1180), (1070, 1270), (2025, 2225), (1300, 2100))  # of frequency-shift keying

Cadence = list[tuple[tuple[float, ...], float]]  # frequencies, and how long in seconds; () is silence


def tone(frequencies_hz: tuple[float, ...], seconds: float) -> np.ndarray:
    """Sines summed, peaking at 1."""
    time = np.arange(max(1, int(seconds * RATE_HZ))) / RATE_HZ
    if not frequencies_hz:
        return np.zeros(len(time))
    out = sum(np.sin(2 * np.pi * f * time) for f in frequencies_hz) / len(frequencies_hz)
    return out * np.minimum(1, np.minimum(time, time[::-1]) / RAMP_S)


def repeated(cadence: Cadence, n: int) -> np.ndarray:
    """The cadence again and again, [n]"""
    return np.resize(np.concatenate([tone(f, s) for f, s in cadence]), n)


def call_progress(n: int, rng: np.random.Generator) -> np.ndarray:
    """Dial, ringing, busy, congestion, call waiting, a beep: one sound on and off, or for ever."""
    pitches = CALL_TONES_HZ[int(rng.integers(len(CALL_TONES_HZ)))]
    if rng.random() < 0.3:
        pitches = tuple(rng.uniform(250, 2600, int(rng.integers(1, 5))))
    pitches = tuple(f * 2 ** rng.normal(0, 0.02) for f in pitches)
    if rng.random() < 0.2:
        return repeated([(pitches, 10.0)], n)
    on = 10 ** rng.uniform(-1.2, 0.5)
    if rng.random() < 0.6:
        off = on * rng.uniform(0.7, 1.4)  # busy, congestion
    else:
        off = rng.uniform(1, 5)  # ringing
    if rng.random() < 0.2:
        return repeated([(pitches, on), ((), on / 2), (pitches, on), ((), off)], n)
    return repeated([(pitches, on), ((), off)], n)


def information(n: int, rng: np.random.Generator) -> np.ndarray:
    """Three rising tones, then a pause."""
    pitches = np.array([950, 1400, 1800]) * 2 ** rng.normal(0, 0.05, 3)
    seconds = rng.choice([0.27, 0.33, 0.38], 3)
    pause = (((), float(rng.uniform(0.3, 3))),)
    return repeated([*(((f,), s) for f, s in zip(pitches, seconds)), *pause], n)


def dtmf(n: int, rng: np.random.Generator) -> np.ndarray:
    """Keys, pressed by a machine or by hand."""
    on, off = 10 ** rng.uniform(-1.3, -0.2), 10 ** rng.uniform(-1.3, 0)
    cadence: Cadence = []
    for _ in range(1 + int(n / RATE_HZ / (on + off))):
        key = (float(rng.choice(DTMF_LOW_HZ)), float(rng.choice(DTMF_HIGH_HZ)))
        cadence += [(key, on * rng.uniform(0.7, 1.4)), ((), off * rng.uniform(0.7, 1.4))]
    return repeated(cadence, n)


def keyed(n: int, rng: np.random.Generator) -> np.ndarray:
    """Frequency-shift keying of random bits, or of the even pattern that comes first."""
    space, mark = MARKS_HZ[int(rng.integers(len(MARKS_HZ)))]
    n_bit = RATE_HZ // int(rng.choice([75, 300, 300, 1200]))
    bits = rng.integers(0, 2, n // n_bit + 1) if rng.random() < 0.7 else np.arange(n // n_bit + 1) % 2
    frequency = np.repeat(np.where(bits, mark, space), n_bit)[:n]
    return np.sin(2 * np.pi * np.cumsum(frequency) / RATE_HZ)


def carrier(n: int, rng: np.random.Generator) -> np.ndarray:
    """A page of a fax, a modem's data: quadrature amplitudes on one carrier, like noise of a band."""
    baud = float(rng.choice([1200, 2400]))
    at = (np.arange(int(n / RATE_HZ * baud)) * RATE_HZ / baud).astype(int)
    symbols = np.zeros(n, complex)
    symbols[at] = rng.choice([-3, -1, 1, 3], len(at)) + 1j * rng.choice([-3, -1, 1, 3], len(at))
    shaped = signal.lfilter(signal.firwin(101, baud / RATE_HZ), 1.0, symbols)
    return np.real(shaped * np.exp(2j * np.pi * rng.choice([1700, 1800]) * np.arange(n) / RATE_HZ))


def fax(n: int, rng: np.random.Generator) -> np.ndarray:
    """A call as fax machines hold it: calling and answering tone, keying, pages; in any order."""
    parts, length = [], 0
    while length < n:
        m = int(rng.uniform(0.3, 6) * RATE_HZ)
        kind = rng.integers(4)
        if kind == 0:
            part = repeated([((1100.0,), 0.5), ((), 3.0)], m)
        elif kind == 1:
            part = tone((2100.0,), m / RATE_HZ)
        else:
            part = keyed(m, rng) if kind == 2 else carrier(m, rng)
        parts.append(part / (np.abs(part).max() + 1e-9))
        length += len(part)
    return np.concatenate(parts)[:n]


def note(pitch_hz: float, seconds: float, attack_s: float, decay: float, rng: np.random.Generator) -> np.ndarray:
    """Harmonics of falling strength, plucked or held, at times with a vibrato."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    vibrato = rng.uniform(0, 0.004) * np.sin(2 * np.pi * rng.uniform(4, 7) * time)
    phase = 2 * np.pi * pitch_hz * (time + np.cumsum(vibrato) / RATE_HZ)
    fall = rng.uniform(0.2, 0.85)
    n_harmonics = max(1, min(10, int(7000 / pitch_hz)))
    wave = sum(fall**k * np.sin((k + 1) * phase + rng.uniform(0, 6)) for k in range(n_harmonics))
    ends = np.minimum(1, np.minimum(time, time[::-1]) / attack_s)
    return wave * ends * np.exp(-decay * time)


def melody(n: int, rng: np.random.Generator) -> np.ndarray:
    """A tune over chords: what plays while one waits."""
    out = np.zeros(n)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    root_hz, beat_s = rng.uniform(80, 260), rng.uniform(0.25, 0.9)
    attack_s, decay = 10 ** rng.uniform(-2.3, -0.8), float(rng.choice([0, 1, 3, 6]))
    chords, melodic = rng.random() < 0.8, rng.random() < 0.9
    at = 0.0
    while at * RATE_HZ < n:
        degree, bar = int(rng.integers(7)), at / beat_s % 4 < 0.5
        sounds = [(degree + step, 4 * beat_s, 0.5) for step in (0, 2, 4)] if chords and bar else []
        if melodic or not chords:
            sounds.append((degree + 7, beat_s * float(rng.choice([0.5, 1, 2])), 1.0))
        for step, seconds, gain in sounds:
            pitch_hz = root_hz * 2 ** ((scale[step % 7] + 12 * (step // 7)) / 12)
            wave = gain * note(pitch_hz, seconds, attack_s, decay, rng)
            first = int(at * RATE_HZ)
            out[first : first + len(wave)] += wave[: n - first]
        at += beat_s
    return out


def line_signal(n: int, rng: np.random.Generator) -> np.ndarray:
    """One of them, peaking at 1, [n]"""
    kinds = (call_progress, call_progress, information, dtmf, fax, melody, melody)
    out = kinds[int(rng.integers(len(kinds)))](n, rng)
    return out / (np.abs(out).max() + 1e-9)
