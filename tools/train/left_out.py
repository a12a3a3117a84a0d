"""Make a hard trial list of the speakers that are left out of the training.

The folder has the form of the public one, so that every tool can read it: clips of about 2 to 6 s as
FLAC, clips.csv, trials.txt; and teacher.npz, CAM++'s vector of each clip. Every other clip of a speaker
goes through a room, a telephone or the like. Hard means: both sides are of one corpus; two voices are
neighbours in pitch, so that hardly a man is compared with a woman, and both clean or both degraded; one
voice is compared clean with degraded, and across sittings where it has several.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from train import effects, teacher
from train.crops import held_out
from train.prepare import Segment, read_segments, trim
from vptools import progress
from vptools.features import RATE_HZ
from vptools.verification import Trial

CLIPS = 6  # at most, of a speaker
SHORTEST_S, LONGEST_S = 1.5, 6.0  # words are joined up to the first, speech is cut at the last
NEIGHBOURS = 3  # voices next in pitch that each is compared with, on either side
PAIRS = 10  # of clips, at most, for one speaker and for two neighbours
PITCH_HZ = (70, 420)  # from deep men to small children


@dataclass(frozen=True)
class Clip:
    name: str
    speaker: str
    corpus: str
    sitting: str
    recording: str
    degraded: bool
    samples: np.ndarray


def sitting(segment: Segment) -> str:
    """What the segments of one sitting have in common, by the corpus's file names."""
    path = Path(segment.source)
    if segment.corpus == "librispeech":
        return path.stem.split("-")[1]  # the chapter
    return path.parent.name if segment.corpus == "alphanumeric" else ""


def clips_of(folder: Path, speaker: str, segments: list[Segment]) -> list[Clip]:
    """Up to CLIPS clips, of as many recordings as there are; a long one is cut up. Every other is degraded."""
    rng = np.random.default_rng([1, *speaker.encode()])
    pieces: dict[tuple[str, str], list[np.ndarray]] = {}  # (sitting, recording) -> cut to length
    words: dict[str, list[np.ndarray]] = {}  # sitting -> recordings that wait for company
    wave, rate = soundfile.read(folder / segments[0].file, dtype="float32")
    assert rate == RATE_HZ, f"{segments[0].file}: {rate} Hz"
    for segment in segments:
        first = int(segment.start_s * RATE_HZ)
        part = trim(wave[first : first + int(segment.seconds * RATE_HZ)])
        where = sitting(segment)
        if len(part) < SHORTEST_S * RATE_HZ:
            words.setdefault(where, []).append(part)
            part = np.concatenate(words[where])
            if len(part) < SHORTEST_S * RATE_HZ:
                continue
            words[where] = []
        n = int(np.ceil(len(part) / (LONGEST_S * RATE_HZ)))
        pieces[where, segment.source] = np.array_split(part, n)
    # The first piece of every recording before the second of any.
    rounds = [(where, source, k, cut) for (where, source), cuts in pieces.items() for k, cut in enumerate(cuts)]
    rounds.sort(key=lambda item: item[2])
    clips = []
    for i, (where, source, _, cut) in enumerate(rounds[:CLIPS]):
        degraded = i % 2 == 1
        samples = effects.degrade(cut, rng) if degraded else cut
        samples = samples / max(1.0, float(np.abs(samples).max()))  # a FLAC file holds nothing louder
        clips.append(Clip(f"{speaker}-{i}.flac", speaker, segments[0].corpus, where, source, degraded, samples))
    return clips


def pitch_hz(samples: np.ndarray) -> float:
    """The median pitch of the voiced frames, by autocorrelation over 40 ms."""
    size, hop = RATE_HZ // 25, RATE_HZ // 50
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop] * np.hanning(size)
    spectrum = np.abs(np.fft.rfft(frames, 2 * size)) ** 2
    alike = np.fft.irfft(spectrum)[:, : size]
    alike /= np.fft.irfft(np.abs(np.fft.rfft(np.hanning(size), 2 * size)) ** 2)[:size] + 1e-3
    alike /= alike[:, :1] + 1e-9
    shortest, longest = RATE_HZ // PITCH_HZ[1], RATE_HZ // PITCH_HZ[0]
    lags = shortest + alike[:, shortest:longest].argmax(1)
    voiced = (alike[:, shortest:longest].max(1) > 0.6) & (spectrum.sum(1) > np.median(spectrum.sum(1)))
    return float(RATE_HZ / np.median(lags[voiced])) if voiced.any() else float("nan")


def pairs_of_one(clips: list[Clip]) -> list[tuple[Clip, Clip]]:
    """A clean and a degraded clip of a speaker, of other sittings, else recordings, else pieces of one."""
    every = [(a, b) for i, a in enumerate(clips) for b in clips[:i] if a.degraded != b.degraded]
    sittings = [(a, b) for a, b in every if a.sitting != b.sitting]
    recordings = [(a, b) for a, b in every if a.recording != b.recording]
    return sittings or recordings or every


def pairs_of_two(one: list[Clip], other: list[Clip]) -> list[tuple[Clip, Clip]]:
    """Clips of two speakers, as alike in what is not the voice as can be."""
    return [(a, b) for a in one for b in other if a.degraded == b.degraded]


def make_trials(clips: list[Clip], pitch: dict[str, float], rng: np.random.Generator) -> list[Trial]:
    speakers: dict[str, dict[str, list[Clip]]] = {}
    for clip in clips:
        speakers.setdefault(clip.corpus, {}).setdefault(clip.speaker, []).append(clip)

    def some(pairs: list[tuple[Clip, Clip]], same: bool) -> list[Trial]:
        chosen = rng.permutation(len(pairs))[:PAIRS]
        return [Trial(pairs[i][0].name, pairs[i][1].name, same) for i in chosen]

    trials = []
    for voices in speakers.values():
        ordered = sorted(voices, key=lambda speaker: pitch[speaker])
        for i, one in enumerate(ordered):
            trials += some(pairs_of_one(voices[one]), True)
            for other in ordered[i + 1 : i + 1 + NEIGHBOURS]:
                trials += some(pairs_of_two(voices[one], voices[other]), False)
    return trials


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="folder with segments.csv and the audio")
    parser.add_argument("out", type=Path, help="folder of clips and trials to write")
    parser.add_argument("--teacher", type=Path, required=True, help="the checkpoint of CAM++")


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    network = teacher.load(args.teacher)
    segments = read_segments(args.source / "segments.csv")
    names = sorted(segments)
    chosen = np.flatnonzero(held_out(np.array([segments[name][0].corpus for name in names])))
    clips = [clip for i in chosen for clip in clips_of(args.source, names[i], segments[names[i]])]
    pitch = {name: pitch_hz(np.concatenate([c.samples for c in clips if c.speaker == name and not c.degraded]))
             for name in {clip.speaker for clip in clips}}  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    vectors = {}
    with (args.out / "clips.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip", "speaker", "corpus", "sitting", "recording", "degraded", "seconds", "pitch_hz"])
        for clip in progress.each(clips, len(clips), "clips"):
            soundfile.write(args.out / clip.name, clip.samples, RATE_HZ)
            heard, _ = soundfile.read(args.out / clip.name, dtype="float32")
            vectors[clip.name] = teacher.embed_clip(network, heard)
            rows.writerow([clip.name, clip.speaker, clip.corpus, clip.sitting, clip.recording,
                           int(clip.degraded), f"{len(heard) / RATE_HZ:.2f}", f"{pitch[clip.speaker]:.0f}"])  # fmt: skip
    np.savez(args.out / "teacher.npz", clips=list(vectors), vectors=np.stack(list(vectors.values())))
    trials = make_trials(clips, pitch, np.random.default_rng(1))
    lines = "".join(f"{t.a} {t.b} {int(t.same)}\n" for t in trials)
    (args.out / "trials.txt").write_text(lines)
    print(f"{args.out}: {len(pitch)} speakers, {len(clips)} clips, {len(trials)} trials, "
          f"{sum(t.same for t in trials)} of one speaker")  # fmt: skip
