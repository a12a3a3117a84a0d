"""Resemblyzer's GE2E speaker encoder (PyPI `resemblyzer`, Apache-2.0), to compare ours with.

Its weights file and its front end are used, not its package code (which wants a voice activity
detector): a 40-band mel power spectrogram of the wave raised to -30 dBFS, windows of 1.6 s, the last
hidden state of a three-layer LSTM through a linear layer and ReLU.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vptools.features import RATE_HZ

WINDOW_FRAMES = 160  # 10 ms frames in one window
STEP_FRAMES = 80  # from one stored window to the next
DIM = 256
N_MELS = 40
TARGET_DBFS = -30.0


class Encoder(nn.Module):
    """Mel power [B, 160, 40] -> unit vectors [B, 256]."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(N_MELS, DIM, 3, batch_first=True)
        self.linear = nn.Linear(DIM, DIM)

    def forward(self, mels: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)


def load() -> Encoder:
    """The published encoder, from the installed package's own folder."""
    package = importlib.util.find_spec("resemblyzer")
    if package is None or package.origin is None:
        raise SystemExit("resemblyzer is missing: see tools/train/requirements.txt")
    state = torch.load(Path(package.origin).parent / "pretrained.pt", map_location="cpu")
    encoder = Encoder()
    names = encoder.state_dict()
    encoder.load_state_dict({name: state["model_state"][name] for name in names})
    return encoder.eval().requires_grad_(False)


@functools.cache
def _spectrogram() -> nn.Module:
    from torchaudio.transforms import MelSpectrogram

    # What librosa.feature.melspectrogram computes for the same sizes.
    return MelSpectrogram(
        RATE_HZ, n_fft=400, hop_length=160, n_mels=N_MELS, pad_mode="constant",
        norm="slaney", mel_scale="slaney",
    )


def mel_power(samples: np.ndarray) -> np.ndarray:
    """Samples [n] at 16 kHz -> mel power [T, 40], a quiet wave raised to -30 dBFS first."""
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) + 1e-12
    gain = max(1.0, 10 ** ((TARGET_DBFS - 20 * np.log10(rms)) / 20))
    return _spectrogram()(torch.from_numpy(samples * np.float32(gain))).T.numpy()


def cut_windows(mels: np.ndarray) -> np.ndarray:
    """Mel power [T, 40] -> windows [W, 160, 40] every 0.8 s; a short clip is zero-padded to one."""
    if len(mels) < WINDOW_FRAMES:
        mels = np.pad(mels, ((0, WINDOW_FRAMES - len(mels)), (0, 0)))
    n_windows = (len(mels) - WINDOW_FRAMES) // STEP_FRAMES + 1
    starts = range(0, n_windows * STEP_FRAMES, STEP_FRAMES)
    return np.stack([mels[start : start + WINDOW_FRAMES] for start in starts])


def embed_windows(encoder: Encoder, windows: np.ndarray, batch: int = 512) -> np.ndarray:
    """Windows [W, 160, 40] -> unit vectors [W, 256]."""
    parts = torch.from_numpy(windows).split(batch)
    return np.concatenate([encoder(part).numpy() for part in parts])
