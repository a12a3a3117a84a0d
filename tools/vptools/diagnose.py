"""Two engines gave different stages: where do they part, and which known fault explains it?

Every fault here was made by a real port of this model. A diagnosis is given only when undoing the
fault brings the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, Mapping

import numpy as np

from vptools.features import fbank

Stages = Mapping[str, np.ndarray]

# max|a-b| / max|b| of a stage. Features: float32 logarithms of energies near the floor differ
# most. Later stages add the rounding of thousands of sums, most in the deepest nets (4e-4).
FBANK_MAX = 5e-3  # log units, both sides in float32
STAGE_RELATIVE = 1e-3
EXPLAINED = 0.02  # a fault is the cause when undoing it leaves this share of the difference


@dataclass(frozen=True)
class Difference:
    """One stage of a against the same stage of b."""

    stage: str
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    max_abs: float
    relative: float  # to the largest magnitude of b

    @property
    def agrees(self) -> bool:
        if self.shape_a != self.shape_b:
            return False
        return self.max_abs <= FBANK_MAX if self.stage == "fbank" else self.relative <= STAGE_RELATIVE


def differences(a: Stages, b: Stages) -> list[Difference]:
    found = []
    for stage, expected in b.items():
        got = a[stage]
        max_abs = relative = np.inf
        if got.shape == expected.shape:
            error = np.abs(got.astype(np.float64) - expected)
            max_abs = float(error.max()) if np.isfinite(error).all() else np.inf
            relative = max_abs / max(float(np.abs(expected).max()), 1e-30)
        found.append(Difference(stage, got.shape, expected.shape, max_abs, relative))
    return found


def first(found: list[Difference]) -> Difference | None:
    """The first stage that differs, or None."""
    return next((d for d in found if not d.agrees), None)


def explain(a: Stages, b: Stages, samples: np.ndarray) -> list[str]:
    """Known faults of a that explain the first stage that differs from b, a sentence each."""
    faults = []
    if not a["embedding"].any():
        faults.append("the embedding is zero: are any weights bound?")
    parting = first(differences(a, b))
    if parting is None:
        return faults
    stage = parting.stage
    if stage == "fbank" or parting.shape_a == parting.shape_b:
        faults += _causes(a, b, stage, samples)
    if parting.shape_a != parting.shape_b and not faults:
        faults.append(f"{stage} has shape {parting.shape_a}, not {parting.shape_b}")
    return faults


def _causes(a: Stages, b: Stages, stage: str, samples: np.ndarray) -> list[str]:
    if not np.isfinite(a[stage]).all():
        return [f"{stage} has values that are not finite"]
    if stage == "fbank":
        return list(_features(a[stage], b[stage], samples))
    if not a[stage].any():
        return [f"{stage} is zero: its weights are missing"]
    if stage == "pooled":
        return list(_pooling(a[stage], b[stage], b["layer4"].shape))
    if stage == "embedding":
        return ["the last layer (seg_1) or mean_vec differs; the statistics before it agree"]
    return list(_convolutions(a[stage], b[stage], stage))


def _undone(got: np.ndarray, expected: np.ndarray, wrong: np.ndarray) -> bool:
    """Is `wrong`, the expected value with the fault put in, what we got?"""
    if got.shape != wrong.shape:
        return False
    left = np.abs(got.astype(np.float64) - wrong).max()
    if wrong.shape != expected.shape:
        return bool(left <= FBANK_MAX)
    return bool(left <= EXPLAINED * np.abs(got.astype(np.float64) - expected).max())


def _features(got: np.ndarray, expected: np.ndarray, samples: np.ndarray) -> Iterator[str]:
    variants: dict[str, Callable[[], np.ndarray]] = {
        f"the window is {w}, not Hamming": (lambda w=w: fbank(samples, window_type=w).numpy())
        for w in ("povey", "hanning", "rectangular", "blackman")
    }
    variants |= {
        "the mean over time is not removed": lambda: fbank(samples, remove_mean=False).numpy(),
        "pre-emphasis is missing": lambda: fbank(samples, preemphasis_coefficient=0.0).numpy(),
        "the mean of each frame is not removed": lambda: fbank(samples, remove_dc_offset=False).numpy(),
        "frames beyond the edges are kept (snip_edges off)": lambda: fbank(samples, snip_edges=False).numpy(),
        "the top edge is 7600 Hz, not 8000": lambda: fbank(samples, high_freq=7600.0).numpy(),
        "the bottom edge is 0 Hz, not 20": lambda: fbank(samples, low_freq=0.0).numpy(),
        "magnitudes instead of powers": lambda: fbank(samples, use_power=False).numpy(),
        "samples are not scaled to int16": lambda: fbank(samples / 32768).numpy(),
    }
    for sentence, variant in variants.items():
        if _undone(got, expected, variant()):
            yield sentence


def _pooling(got: np.ndarray, expected: np.ndarray, shape: tuple[int, ...]) -> Iterator[str]:
    n_channels, n_freq, n_frames = shape
    rows = expected.reshape(2, n_channels, n_freq)
    if _undone(got, expected, rows.transpose(0, 2, 1).ravel()):
        yield "flatten order: rows run frequency-major; channel-major, row c * F + f, is right"
    if _undone(got, expected, rows[::-1].ravel()):
        yield "standard deviations stand before the means"
    mean, std = rows
    biased = np.stack((mean, std * np.sqrt((n_frames - 1) / n_frames)))
    if _undone(got, expected, biased.ravel()):
        yield "the variance is biased: divide by T - 1, not by T"
    if _undone(got, expected, np.stack((mean, std**2)).ravel()):
        yield "variances instead of standard deviations"


def _convolutions(got: np.ndarray, expected: np.ndarray, stage: str) -> Iterator[str]:
    """A bias shifts each channel by one amount wherever the ReLU lets it through."""
    shifts = []
    for x, y in zip(got, expected):
        open_ = (x > 0) & (y > 0)
        if open_.sum() < 8:
            continue
        delta = (x - y)[open_]
        if np.ptp(delta) > EXPLAINED * max(np.abs(delta).max(), STAGE_RELATIVE * np.abs(expected).max()):
            return
        shifts.append(delta.mean())
    if shifts and np.abs(shifts).max() > STAGE_RELATIVE * np.abs(expected).max():
        yield f"each channel of {stage} is shifted by a constant: a bias of its last convolution is lost"
