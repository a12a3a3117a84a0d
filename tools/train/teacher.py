"""CAM++ as the teacher: 3D-Speaker's `speech_campplus_sv_zh_en_16k-common_advanced`, Apache-2.0.

It gives 192 numbers and the student 256. The teacher's vectors are turned into the student's space
by a fixed matrix of orthonormal rows, which leaves every cosine as it was.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch

from vptools import campplus, checkpoint

WINDOW_FRAMES = 300  # 10 ms frames that a stored vector is of; shorter ones know less of the voice
STEP_FRAMES = 300  # from one stored window to the next
DIM = 192
STUDENT_DIM = 256


def load(path: Path) -> campplus.CamPlusPlus:
    """The published checkpoint, ready to embed."""
    if not path.exists():
        raise SystemExit(f"{path}: the teacher's checkpoint is not there; `make model-campplus` fetches it")
    network = campplus.load(checkpoint.open_pickle(path)).requires_grad_(False)
    if network.arch.dim != DIM:
        raise SystemExit(f"{path}: a CAM++ of {network.arch.dim} numbers; the one of {DIM} is needed")
    return network


def embed_clip(network: campplus.CamPlusPlus, samples: np.ndarray) -> np.ndarray:
    """A whole clip of 16 kHz samples in [-1, 1] -> [192], not normalised."""
    return network(campplus.features(samples)[None])[0].numpy()


def cut_windows(feats: np.ndarray) -> np.ndarray:
    """Features [T, 80] -> windows [W, 300, 80], the mean of each removed. The last ends where the
    speech does; what is too short for one window is repeated."""
    if len(feats) < WINDOW_FRAMES:
        feats = np.resize(feats, (WINDOW_FRAMES, feats.shape[1]))
    last = len(feats) - WINDOW_FRAMES
    starts = [*range(0, last, STEP_FRAMES), last]
    windows = np.stack([feats[start : start + WINDOW_FRAMES] for start in starts])
    return windows - windows.mean(1, keepdims=True)


def embed_windows(network: campplus.CamPlusPlus, windows: np.ndarray, batch: int = 16) -> np.ndarray:
    """Windows [W, 300, 80] -> [W, 192], not normalised."""
    return np.concatenate([network(part).numpy() for part in torch.from_numpy(windows).split(batch)])


@functools.cache
def _turn() -> np.ndarray:
    """[192, 256], orthonormal rows, always the same."""
    random = np.random.default_rng(192256).standard_normal((STUDENT_DIM, DIM))
    return np.linalg.qr(random)[0].T.astype(np.float32)


def to_student(vectors: np.ndarray) -> np.ndarray:
    """Teacher's vectors [..., 192] in the student's space, [..., 256]."""
    return vectors @ _turn()
