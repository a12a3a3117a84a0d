"""Speaker verification figures: error rates of a trial list, and calibration of its scores.

Scores are cosines, higher means more alike; labels are True for one speaker. The weights of the
trials (all one, or the counts of a bootstrap draw) go through every figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Trial:
    a: str
    b: str
    same: bool


def read_trials(path: Path) -> list[Trial]:
    """Lines of `clip clip 1|0`; anything else is refused with its line number."""
    trials = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or words[2] not in ("0", "1"):
            raise ValueError(f"{path}:{number}: not `clip clip 1|0`: {line!r}")
        trials.append(Trial(words[0], words[1], words[2] == "1"))
    return trials


@dataclass(frozen=True)
class Curve:
    """Error rates at every threshold: reject below it, accept at or above. Ascending thresholds."""

    thresholds: Floats
    miss: Floats  # share of same-speaker trials rejected
    false_alarm: Floats  # share of different-speaker trials accepted


def error_curve(scores: Floats, same: Bools, weights: Floats | None = None) -> Curve:
    if weights is None:
        weights = np.ones(len(scores))
    n_target, n_other = weights[same].sum(), weights[~same].sum()
    if n_target == 0 or n_other == 0:
        raise ValueError("a trial list needs trials of both kinds")
    thresholds, where = np.unique(scores, return_inverse=True)
    target = np.bincount(where, weights * same, len(thresholds))
    other = np.bincount(where, weights * ~same, len(thresholds))
    return Curve(
        np.append(thresholds, np.inf),
        np.concatenate([[0.0], np.cumsum(target)]) / n_target,
        1.0 - np.concatenate([[0.0], np.cumsum(other)]) / n_other,
    )


def equal_error_rate(curve: Curve) -> float:
    """Where the two error rates cross, interpolated between the neighbouring thresholds."""
    gap = curve.miss - curve.false_alarm  # -1 at the lowest threshold, +1 at the highest
    after = int(np.argmax(gap >= 0))
    if after == 0:
        return float(curve.miss[0])
    before = after - 1
    step = -gap[before] / (gap[after] - gap[before])
    return float(curve.miss[before] + step * (curve.miss[after] - curve.miss[before]))


def min_dcf(curve: Curve, prior: float = 0.01) -> float:
    """Least detection cost at that prior of one speaker, both errors costing 1, normalised."""
    cost = prior * curve.miss + (1 - prior) * curve.false_alarm
    return float(cost.min() / min(prior, 1 - prior))


def speaker_bootstrap(
    scores: Floats, same: Bools, speakers: tuple[list[str], list[str]], n_draws: int, seed: int = 1
) -> Floats:
    """[n_draws, 2] EER and minDCF over draws of speakers: trials of one voice are not independent.

    A trial counts as often as its speaker was drawn, or the product for two different ones.
    """
    names = sorted(set(speakers[0]) | set(speakers[1]))
    index = {name: i for i, name in enumerate(names)}
    a = np.array([index[name] for name in speakers[0]])
    b = np.array([index[name] for name in speakers[1]])
    rng = np.random.default_rng(seed)
    figures = []
    while len(figures) < n_draws:
        counts = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        weights = np.where(a == b, counts[a], counts[a] * counts[b]).astype(float)
        if weights[same].sum() == 0 or weights[~same].sum() == 0:
            continue  # a draw that lost one kind of trial has no error rate
        curve = error_curve(scores, same, weights)
        figures.append((equal_error_rate(curve), min_dcf(curve)))
    return np.array(figures)


@dataclass(frozen=True)
class Calibration:
    """llr (natural log) = slope * cosine + offset; the threshold is where llr is 0."""

    slope: float
    offset: float

    @property
    def threshold(self) -> float:
        return -self.offset / self.slope


def fit_calibration(scores: Floats, same: Bools, n_rounds: int = 100) -> Calibration:
    """Logistic regression at even priors, by Newton's method.

    Both kinds of trial weigh the same in total, so the log-odds are a log-likelihood ratio. A
    ridge of one part in a million keeps the slope finite when the kinds do not overlap.
    """
    design = np.stack([scores, np.ones_like(scores)], axis=1)
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    parameters = np.zeros(2)
    ridge = np.diag([1e-6, 0.0])
    for _ in range(n_rounds):
        p = 1 / (1 + np.exp(-design @ parameters))
        gradient = design.T @ (weights * (p - same)) + ridge @ parameters
        hessian = (design * (weights * p * (1 - p))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian, gradient)
        parameters -= step * min(1.0, 10.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    slope, offset = (float(value) for value in parameters)
    if slope <= 0:
        raise ValueError("higher scores do not mean the same speaker here: nothing to calibrate")
    return Calibration(slope, offset)


def calibration_cost(scores: Floats, same: Bools, calibration: Calibration) -> float:
    """Cllr in bits: 1 is what no information costs, 0 perfect."""
    llr = calibration.slope * scores + calibration.offset
    target = np.logaddexp(0, -llr[same]).mean()
    other = np.logaddexp(0, llr[~same]).mean()
    return float((target + other) / (2 * np.log(2)))
