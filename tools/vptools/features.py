"""Samples to log-mel features by torchaudio: the reference of core/features/fbank.c."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor
from torchaudio.compliance import kaldi

RATE_HZ = 16000
OPTIONS = dict(
    sample_frequency=RATE_HZ, num_mel_bins=80, frame_length=25.0, frame_shift=10.0,
    low_freq=20.0, high_freq=0.0, window_type="hamming", dither=0.0, energy_floor=0.0,
)  # fmt: skip


def read_samples(path: str | Path) -> np.ndarray:
    """A 16 kHz mono recording, float32 [n_samples] in [-1, 1]. Other rates are refused: whoever
    compares two engines wants both to see the same samples, not two resamplers."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    if rate_hz != RATE_HZ or samples.shape[1] != 1:
        raise ValueError(f"{path}: {rate_hz} Hz, {samples.shape[1]} channels; need 16000 Hz mono")
    return samples[:, 0]


def fbank(
    samples: np.ndarray, dtype: torch.dtype = torch.float32, remove_mean: bool = True, **changed: Any
) -> Tensor:
    """Samples [n] in [-1, 1] -> [T, 80], natural log, mean over time removed."""
    wave = torch.from_numpy(np.ascontiguousarray(samples)).to(dtype)[None] * 32768  # int16 scale
    feats = kaldi.fbank(wave, **(OPTIONS | changed))
    return feats - feats.mean(dim=0) if remove_mean else feats
