"""Simulated conversations: talkers, pauses, rooms, noises, telephone lines, levels; and labels.

A conversation is made of waves, in the order in which the world does it: what each talker says, as
the room gives it; sounds and background beside it; then the line and the recorder, which take all of
it together. Levels are absolute: quiet speech in a quiet room and the room alone differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from train import effects
from train.vad.signals import line_signal
from train.vad.sounds import HOP, RATE_HZ, Segment, bridge

SECONDS = 30
N_HOPS = SECONDS * 100
N = N_HOPS * HOP
N_FRAMES = N_HOPS - 2  # of 25 ms


@dataclass(frozen=True)
class Sounds:
    speakers: list[list[Segment]]
    pauses: list[np.ndarray]  # int16, what microphones hear when nobody speaks
    noise: dict[str, list[np.ndarray]]


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples)) + 1e-20))


def gain(db: float) -> float:
    return float(10 ** (db / 20))


def pick(things: list, rng: np.random.Generator):  # noqa: ANN201 - whatever the list holds
    return things[int(rng.integers(len(things)))]


def resampled(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Played 0.8 to 1.25 times as fast: another sound of the same kind."""
    at = np.arange(0, len(samples) - 1, 2 ** rng.uniform(-0.32, 0.32))
    return np.interp(at, np.arange(len(samples)), samples)


# ---- speech ---------------------------------------------------------------------------------


def pause_hops(rng: np.random.Generator) -> int:
    """Between two utterances: mostly under a second, now and then many."""
    return int(100 * (rng.gamma(1.5, 0.35) if rng.random() < 0.88 else rng.uniform(1, 8)))


def talk(
    sounds: Sounds, rng: np.random.Generator, n_talkers: int, dense: bool
) -> tuple[np.ndarray, np.ndarray]:
    """What the talkers say, [n_talkers, N], and which hops of it are speech, the same by hops."""
    tracks, speech = np.zeros((n_talkers, N)), np.zeros((n_talkers, N_HOPS), dtype=bool)
    seconds = np.array([sum(len(x.speech) for x in segments) for segments in sounds.speakers])
    odds = np.sqrt(seconds) / np.sqrt(seconds).sum()  # most speakers of the corpus said three words
    voices = [sounds.speakers[i] for i in rng.choice(len(odds), n_talkers, p=odds)]
    at, talker = 0 if rng.random() < 0.3 else int(rng.integers(300)), 0
    while at < N_HOPS:
        if rng.random() < 0.4:
            talker = int(rng.integers(n_talkers))
        utterance = pick(voices[talker], rng)
        end = min(N_HOPS, at + len(utterance.speech))
        tracks[talker, at * HOP : end * HOP] += utterance.samples[: (end - at) * HOP] / 32768
        speech[talker, at:end] |= utterance.speech[: end - at]
        overlaps = n_talkers > 1 and rng.random() < 0.15
        at = max(at + 20, end - int(rng.integers(150))) if overlaps else end
        at += int(rng.integers(15)) if dense else 0 if overlaps else pause_hops(rng)
    return tracks, speech


def level_talkers(tracks: np.ndarray, speech: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The talkers at an rms of about 1 while they speak, some nearer than others, summed."""
    total = np.zeros(N)
    for track, mask in zip(tracks, speech):
        if mask.any():
            power = np.square(track).reshape(-1, HOP).mean(1)[mask].mean()
            total += track / np.sqrt(power + 1e-12) * gain(float(np.clip(rng.normal(0, 5), -12, 6)))
    return total


# ---- what is not speech ---------------------------------------------------------------------


def coloured(rng: np.random.Generator) -> np.ndarray:
    """Noise of a random smooth spectrum that swells slowly, at times with a hum of the mains."""
    knots = rng.uniform(-30, 10) * np.linspace(0, 1, 9) + rng.normal(0, 4, 9)
    spectrum = np.fft.rfft(rng.standard_normal(N))
    spectrum *= 10 ** (np.interp(np.linspace(0, 1, len(spectrum)) ** 0.5, np.linspace(0, 1, 9), knots) / 20)
    noise = np.fft.irfft(spectrum, N)
    noise *= 10 ** (np.interp(np.arange(N), np.linspace(0, N, 7), rng.normal(0, 2, 7)) / 20)
    if rng.random() < 0.25:
        time = np.arange(N) / RATE_HZ
        for k in range(1, 6):
            noise += rms(noise) * rng.uniform(0, 1) / k * np.sin(2 * np.pi * pick([50, 60], rng) * k * time)
    return noise


def looped(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A recording from a random place on, again and again until the time is filled."""
    return np.roll(np.resize(sound, max(N, len(sound))), int(rng.integers(len(sound))))[:N]


def room_tone(sounds: Sounds, rng: np.random.Generator) -> np.ndarray:
    """Pauses of recordings one after another, faded into each other, each at the same level."""
    out, at, fade = np.zeros(N), 0, 320
    pauses = [pick(sounds.pauses, rng) for _ in range(4)]
    while at < N - fade:
        piece = pick(pauses, rng).astype(float)
        piece /= rms(piece) + 1e-9
        ramp = np.minimum(1, np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1]) / fade)
        n = min(len(piece), N - at)
        out[at : at + n] += (piece * np.sqrt(ramp))[:n]
        at += max(len(piece) - fade, fade)
    return out


def babble(sounds: Sounds, rng: np.random.Generator) -> np.ndarray:
    """Many voices of another table: nobody is understood, and it is not what was recorded."""
    out = np.zeros(N)
    for _ in range(int(rng.integers(5, 9))):
        tracks, speech = talk(sounds, rng, 1, dense=True)
        out += level_talkers(tracks, speech, rng)
    return effects.room(out, rng)[:N]


def background(sounds: Sounds, rng: np.random.Generator) -> np.ndarray:
    """One lasting noise with an rms of 1."""
    draw = rng.random()
    if draw < 0.45:
        noise = coloured(rng)
    elif draw < 0.65:
        noise = room_tone(sounds, rng)
    elif draw < 0.75:
        noise = looped(resampled(pick(sounds.noise["ambience"], rng), rng), rng)
    elif draw < 0.9:
        noise = looped(resampled(pick(sounds.noise["music"], rng), rng), rng)
    else:
        noise = babble(sounds, rng)
    return noise / rms(noise)


def knocks(rng: np.random.Generator) -> np.ndarray:
    """Keys, taps, a mouse: bursts of a few milliseconds, some in quick succession."""
    out = np.zeros(int(rng.uniform(0.2, 4) * RATE_HZ))
    at = 0
    while at < len(out):
        n = int(rng.uniform(0.004, 0.05) * RATE_HZ)
        burst = rng.standard_normal(n) * np.exp(-np.arange(n) / n * rng.uniform(3, 9))
        burst = signal.lfilter([1.0], [1.0, rng.uniform(-0.9, 0.3)], burst)
        n = min(n, len(out) - at)
        out[at : at + n] += burst[:n] * gain(rng.uniform(-12, 0)) / (np.abs(burst).max() + 1e-9)
        at += int(rng.exponential(0.16) * RATE_HZ) + 160
    return out


def events(sounds: Sounds, rng: np.random.Generator) -> np.ndarray:
    """Short sounds now and then, each peaking near 1: laughter and coughs, things, keys, breath."""
    out = np.zeros(N)
    for _ in range(int(rng.integers(1, 12))):
        draw = rng.random()
        if draw < 0.35:
            sound = resampled(pick(sounds.noise["human"], rng), rng)
        elif draw < 0.65:
            sound = resampled(pick(sounds.noise["event"], rng), rng)
        elif draw < 0.85:
            sound = knocks(rng)
        else:  # a breath: noise that comes and goes
            n = int(rng.uniform(0.15, 0.8) * RATE_HZ)
            sound = rng.standard_normal(n) * np.sin(np.pi * np.arange(n) / n) ** rng.uniform(1, 3)
            sound = signal.lfilter([1.0], [1.0, rng.uniform(-0.9, 0.5)], sound)
        sound = sound[: int(rng.uniform(0.3, 5) * RATE_HZ)]
        sound = sound / (np.abs(sound).max() + 1e-9) * gain(rng.uniform(-20, 0))
        at = int(rng.integers(N))
        out[at : at + len(sound)] += sound[: N - at]
    return effects.room(out, rng)[:N] if rng.random() < 0.5 else out


# ---- the whole ------------------------------------------------------------------------------


def call_signal(n: int, rng: np.random.Generator) -> np.ndarray:
    """Tones or music of a call, with an rms of about 1 where they sound, nearer or farther than talkers."""
    return line_signal(n, rng) * gain(rng.uniform(-12, 12))


def line(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Telephone, lossy codec, or neither."""
    draw = rng.random()
    if draw < 0.2:
        return effects.telephone(samples, rng)
    return effects.low_pass(samples, rng) if draw < 0.3 else samples


def conversation(sounds: Sounds, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Samples [N] in [-1, 1], float32, and the label of each frame, bool [N_FRAMES]."""
    total, label = np.zeros(N), np.zeros(N_HOPS, dtype=bool)
    if rng.random() < 0.78:  # else nobody speaks at all
        n_talkers = int(rng.choice([1, 2, 3, 4], p=[0.25, 0.35, 0.25, 0.15]))
        tracks, speech = talk(sounds, rng, n_talkers, dense=rng.random() < 0.15)
        answered = int(rng.integers(200, 2000)) if rng.random() < 0.2 else 0
        tracks[:, : answered * HOP], speech[:, :answered] = 0, False
        if rng.random() < 0.5:
            tracks = np.stack([effects.room(track, rng)[:N] for track in tracks])
        total = level_talkers(tracks, speech, rng)
        if answered:
            total[: answered * HOP] += call_signal(answered * HOP, rng)
        label = bridge(speech.any(0), 20)
    elif rng.random() < 0.6:
        total = call_signal(N, rng)
    if rng.random() < 0.9:
        total += background(sounds, rng) * gain(-min(rng.uniform(0, 50), rng.uniform(3, 60)))
    if rng.random() < 0.3:
        total += background(sounds, rng) * gain(-rng.uniform(5, 35))
    if rng.random() < 0.6:
        total += events(sounds, rng) * gain(rng.uniform(-12, 16))
    total = line(total, rng) * gain(rng.uniform(-58, -12))
    if rng.random() < 0.1:
        total = effects.clip(total, rng)
    if rng.random() < 0.7:
        total = np.round(np.clip(total, -1, 1) * 32768) / 32768
    elif rng.random() < 0.7:
        total += rng.standard_normal(N) * gain(rng.uniform(-105, -80))
    return total.astype(np.float32), label[1:-1]  # frame t is centred in hop t + 1
