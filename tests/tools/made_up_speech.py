"""Made-up speech for the tests of the training: prepared features, recordings, a teacher."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile
import torch

from train import run, teacher
from vptools import campplus

N_SPEAKERS = 64


def make_variant(folder: Path, speed: float = 1.0, n_frames: int = 260) -> None:
    """Speakers with a spectrum, which comes and goes, and a teacher vector of their own."""
    rng = np.random.default_rng(3)
    spectra = rng.normal(size=(N_SPEAKERS, 1, 80)) * 2
    swell = 1 + np.sin(np.arange(n_frames) * 0.6)[:, None]  # mean removal leaves what moves
    noise = np.random.default_rng(int(100 * speed)).normal(size=(N_SPEAKERS, n_frames, 80))
    vectors = rng.normal(size=(N_SPEAKERS, teacher.DIM))
    n_windows = 2
    folder.mkdir(parents=True)
    fbank = (spectra * swell + noise).reshape(-1, 80).astype(np.float16)
    np.save(folder / "fbank.npy", fbank)
    np.save(folder / "degraded.npy", fbank + np.float16(0.125))
    np.save(folder / "teacher.npy", np.repeat(vectors, n_windows, axis=0).astype(np.float16))
    rows = [(i * n_frames, n_frames, i * n_windows, n_windows) for i in range(N_SPEAKERS)]
    names = [f"s{i:03}" for i in range(N_SPEAKERS)]
    corpora = ["speechocean"] * N_SPEAKERS
    np.savez(folder / "index.npz", rows=rows, speakers=names, corpora=corpora, speed=speed)


def run_arguments(data: Path, folder: Path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    left_out = ["--left-out", str(folder / "left-out")]
    return parser.parse_args([str(data), str(folder), "--threads", "1", *left_out, *more])


def untrained_teacher() -> torch.nn.Module:
    return campplus.untrained(campplus.Architecture((1, 1, 1), 8, 4, 4, teacher.DIM), 1).requires_grad_(False)


def write_corpus(folder: Path, speakers: dict[str, list[float]], corpus: str = "speechocean") -> None:
    """Recordings of buzzing noise, of those seconds, a pitch for each speaker."""
    rng = np.random.default_rng(1)
    rows = ["file,speaker,corpus,start_s,seconds,source"]
    for k, (name, lengths) in enumerate(speakers.items()):
        at, waves = 0.0, []
        for i, seconds in enumerate(lengths):
            n = int(seconds * 16000)
            pulses = (np.arange(n) % (16000 // (100 + 20 * k)) == 0) + 0.01 * rng.normal(size=n)
            waves += [0.5 * np.convolve(pulses, np.exp(-np.arange(80) / 15.0))[:n], np.zeros(1600)]
            rows.append(f"{name}.wav,{name},{corpus},{at:.4f},{seconds},{name}/{i}.wav")
            at += seconds + 0.1
        soundfile.write(folder / f"{name}.wav", np.concatenate(waves).astype(np.float32), 16000)
    (folder / "segments.csv").write_text("\n".join(rows) + "\n")
