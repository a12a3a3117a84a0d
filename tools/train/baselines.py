"""Error rates of other networks, and of no model at all, on the trial list that judges the student.

The rows: CAM++, which the student learns from, as it is published; the package `resemblyzer`, with its
voice activity detector (left out where librosa or webrtcvad is missing), and its encoder on the whole
clip; and the means over time of 40 cepstra, each scaled by its spread over the clips. The last knows
nothing of speakers: what it scores comes from microphones, rooms and the length of the vocal tract.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import Callable

import numpy as np
import torch

from train import ge2e, teacher
from train.crops import unit
from vptools import progress
from vptools.features import fbank, read_samples
from vptools.verification import equal_error_rate, error_curve, min_dcf, read_trials

CEPSTRA = 40
Embeddings = dict[str, np.ndarray]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("audio", type=Path, help="folder with trials.txt and the clips")
    parser.add_argument("--teacher", type=Path, required=True, help="the checkpoint of CAM++")


def of_package(waves: Embeddings) -> Embeddings:
    """Whole utterances as the package's own functions prepare and embed them. ImportError without it."""
    from resemblyzer import VoiceEncoder, preprocess_wav

    encoder = VoiceEncoder("cpu", verbose=False)
    counted = progress.each(waves.items(), len(waves), "resemblyzer")
    return {name: encoder.embed_utterance(preprocess_wav(wave, 16000)) for name, wave in counted}


@torch.no_grad()
def of_encoder(waves: Embeddings) -> Embeddings:
    encoder = ge2e.load()
    return {name: unit(ge2e.embed_windows(encoder, ge2e.cut_windows(ge2e.mel_power(wave))).mean(0))
            for name, wave in progress.each(waves.items(), len(waves), "its encoder")}


def of_teacher(checkpoint: Path, waves: Embeddings) -> Embeddings:
    network = teacher.load(checkpoint)
    return {name: unit(teacher.embed_clip(network, wave))
            for name, wave in progress.each(waves.items(), len(waves), "CAM++")}


def of_cepstra(waves: Embeddings) -> Embeddings:
    """Means of cepstra 1 to 40 (DCT-II of the log-mel features), centred and scaled over the clips."""
    means = {}
    for name, wave in waves.items():
        log_mel = fbank(wave, remove_mean=False).numpy().astype(np.float64).mean(0)
        band = np.arange(len(log_mel)) + 0.5
        order = np.arange(1, CEPSTRA + 1)[:, None]
        means[name] = np.cos(np.pi / len(log_mel) * order * band) @ log_mel
    centre = np.mean(list(means.values()), axis=0)
    spread = np.std(list(means.values()), axis=0)
    return {name: unit((mean - centre) / spread) for name, mean in means.items()}


def main(args: argparse.Namespace) -> None:
    trials = read_trials(args.audio / "trials.txt")
    same = np.array([t.same for t in trials])
    names = sorted({name for t in trials for name in (t.a, t.b)})
    waves = {name: read_samples(args.audio / name) for name in names}
    rows: list[tuple[str, Callable[[Embeddings], Embeddings]]] = [
        ("CAM++, the teacher", functools.partial(of_teacher, args.teacher)),
        ("resemblyzer, as published", of_package), ("its encoder, whole clips", of_encoder),
        ("40 cepstral means, no model", of_cepstra)]
    print(f"{'':28s}  EER %  minDCF   ({len(trials)} trials)")
    for label, embed in rows:
        try:
            found = embed(waves)
        except ImportError as error:
            print(f"{label:28s}  left out: {error}")
            continue
        curve = error_curve(np.array([float(found[t.a] @ found[t.b]) for t in trials]), same)
        print(f"{label:28s} {100 * equal_error_rate(curve):6.2f} {min_dcf(curve):7.3f}", flush=True)
