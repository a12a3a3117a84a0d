"""Simulated conversations with a label for each talker, of the speech and the sounds of train.vad.

Unlike there it matters who speaks: talkers take turns of whole sentences or of a word, come in
before the last one has ended, and put a word into each other's long turns. Half of the
conversations are among neighbours in the list of speakers: one corpus, one kind of recording, so
that voices must be told apart by more than their microphones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train import effects
from train.vad.simulate import N, N_HOPS, Sounds, background, events, gain, level_talkers, pick
from train.vad.sounds import HOP, Segment, bridge

MOST_TALKERS = 4
LEAST_SPEECH_HOPS = 500  # of a talker; most speakers of the corpus said three words
NEIGHBOURS = 40  # to either side
FADE = 80  # samples, 5 ms, at either end of a part
SHORTEST_PART_HOPS = 20
LONGEST_TURN_HOPS = 1200
LAST_TURN_HOPS = 30  # before the end no turn begins any more
BRIDGED_HOPS = 15


@dataclass(frozen=True)
class Manner:
    """How those at this table talk."""

    turn_s: float  # median
    overlaps: float  # odds of the next one coming in before a turn has ended
    asides: float  # odds of a word put into a turn
    shares: np.ndarray  # of the turns, [n_talkers]

    @staticmethod
    def draw(n_talkers: int, rng: np.random.Generator) -> "Manner":
        turn_s, overlaps = rng.choice([0.9, 1.5, 2.2, 3.5]), rng.choice([0.05, 0.25, 0.45])
        asides, shares = rng.choice([0, 0.15, 0.3]), rng.dirichlet(np.full(n_talkers, 4.0))
        return Manner(float(turn_s), float(overlaps), float(asides), shares)


class Tracks:
    """What each talker says: samples [n_talkers, N], speech [n_talkers, N_HOPS]."""

    def __init__(self, voices: list[list[Segment]]) -> None:
        self.voices = voices
        self.samples = np.zeros((len(voices), N))
        self.speech = np.zeros((len(voices), N_HOPS), dtype=bool)

    def say(self, talker: int, at: int, most_hops: float, rng: np.random.Generator) -> int:
        """Part of an utterance, from hop `at` on; returns where it ends."""
        utterance = pick(self.voices[talker], rng)
        spoken = np.flatnonzero(utterance.speech)
        first = int(spoken[0] if rng.random() < 0.6 else rng.choice(spoken))
        end = min(int(spoken[-1]) + 1, first + int(most_hops))
        if end - first < SHORTEST_PART_HOPS:
            first = max(0, end - SHORTEST_PART_HOPS)
        end = min(end, first + N_HOPS - at)
        samples = utterance.samples[first * HOP : end * HOP] / 32768
        ramp = np.linspace(0, 1, min(FADE, len(samples) // 4))
        samples[: len(ramp)] *= ramp
        samples[len(samples) - len(ramp) :] *= ramp[::-1]
        self.samples[talker, at * HOP : at * HOP + len(samples)] += samples
        self.speech[talker, at : at + end - first] |= utterance.speech[first:end]
        return at + end - first

    def turn(self, talker: int, at: int, hops: float, rng: np.random.Generator) -> int:
        """Parts with short pauses between them, until `hops` are filled; returns where they end."""
        first, left = at, hops
        while left > 0 and at < N_HOPS:
            at = self.say(talker, at, max(40, left), rng)
            left = hops - (at - first)
            if left > 0:
                at += int(rng.integers(3, 45))
        return at


def talkative(speakers: list[list[Segment]]) -> list[list[Segment]]:
    """Those who said enough to have a part in a conversation."""
    return [x for x in speakers if sum(len(part.speech) for part in x) > LEAST_SPEECH_HOPS]


def choose(speakers: list[list[Segment]], rng: np.random.Generator) -> list[list[Segment]]:
    """One to MOST_TALKERS of the talkative speakers."""
    n_talkers = int(rng.choice(np.arange(1, MOST_TALKERS + 1), p=[0.08, 0.45, 0.3, 0.17]))
    enough = talkative(speakers)
    if rng.random() < 0.5:
        one = int(rng.integers(len(enough)))
        enough = enough[max(0, one - NEIGHBOURS) : one + NEIGHBOURS]
    return [enough[i] for i in rng.choice(len(enough), n_talkers, replace=False)]


def talk(voices: list[list[Segment]], rng: np.random.Generator) -> Tracks:
    """The voices take turns until the time is filled."""
    n, tracks, manner = len(voices), Tracks(voices), Manner.draw(len(voices), rng)
    at, last = 0 if rng.random() < 0.3 else int(rng.integers(150)), -1
    while at < N_HOPS - LAST_TURN_HOPS:
        talker = int(rng.choice(n, p=manner.shares))
        if n > 1 and talker == last and rng.random() < 0.75:
            continue
        first, last = at, talker
        hops = min(100 * rng.lognormal(np.log(manner.turn_s), 0.8), LONGEST_TURN_HOPS)
        at = tracks.turn(talker, first, hops, rng)
        if n > 1 and hops > 120 and rng.random() < manner.asides:
            other = int(rng.choice([x for x in range(n) if x != talker]))
            beside = int(rng.integers(first, max(first + 1, min(at, N_HOPS) - 30)))
            tracks.say(other, beside, rng.uniform(25, 100), rng)
        if n > 1 and rng.random() < manner.overlaps:
            at = max(at - int(rng.uniform(10, 150)), first + 30)
        else:
            at += int(100 * (rng.exponential(0.4) if rng.random() < 0.9 else rng.uniform(1, 5))) + 3
    return tracks


def beside(sounds: Sounds, rng: np.random.Generator, noisy: bool) -> np.ndarray:
    """What is heard beside talkers of an rms of about 1."""
    if noisy:
        total = background(sounds, rng) * gain(-min(rng.uniform(0, 50), rng.uniform(3, 60)))
        if rng.random() < 0.3:
            total += background(sounds, rng) * gain(-rng.uniform(5, 35))
    else:
        total = background(sounds, rng) * gain(-rng.uniform(5, 50))
    if rng.random() < (0.6 if noisy else 0.3):
        total += events(sounds, rng) * gain(rng.uniform(-12, 14) if noisy else rng.uniform(-20, 0))
    return total


def conversation(sounds: Sounds, rng: np.random.Generator, noisy: bool) -> tuple[np.ndarray, np.ndarray]:
    """Samples [N] in [-1, 1], float32, and where each talker speaks, bool [n_talkers, N_HOPS]."""
    tracks = talk(choose(sounds.speakers, rng), rng)
    draw = rng.random()
    if draw < 0.4:
        tracks.samples = np.stack([effects.room(track, rng) for track in tracks.samples])
    elif draw < 0.55:
        tracks.samples = np.stack([effects.telephone(track, rng) for track in tracks.samples])
    total = level_talkers(tracks.samples, tracks.speech, rng) + beside(sounds, rng, noisy)
    if rng.random() < 0.25:
        total = effects.telephone(total, rng)
    elif rng.random() < 0.15:
        total = effects.low_pass(total, rng)
    total *= gain(rng.uniform(-56, -12) if noisy else rng.uniform(-40, -14))
    total = np.round(np.clip(total, -1, 1) * 32768) / 32768
    labels = np.stack([bridge(speech, BRIDGED_HOPS) for speech in tracks.speech])
    return total.astype(np.float32), labels
