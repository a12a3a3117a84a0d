"""Error rates and calibration against hand-made cases and a naive scan of thresholds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from vptools import safetensors_header  # noqa: E402
from vptools.verification import (  # noqa: E402
    Calibration,
    calibration_cost,
    equal_error_rate,
    error_curve,
    fit_calibration,
    min_dcf,
    read_trials,
    speaker_bootstrap,
)


def gaussians(n: int, distance: float, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    same = np.arange(2 * n) < n
    return rng.normal(size=2 * n) + distance * same, same


def naive_rates(scores: np.ndarray, same: np.ndarray) -> list[tuple[float, float]]:
    """(miss, false alarm) at every threshold, counted one trial at a time."""
    rates = []
    for threshold in [*sorted(scores), np.inf]:
        miss = sum(s < threshold for s, t in zip(scores, same) if t) / same.sum()
        alarm = sum(s >= threshold for s, t in zip(scores, same) if not t) / (~same).sum()
        rates.append((miss, alarm))
    return rates


def test_perfect_and_hopeless_scores() -> None:
    same = np.array([True, True, False, False])
    assert equal_error_rate(error_curve(np.array([0.9, 0.8, 0.2, 0.1]), same)) == 0
    assert min_dcf(error_curve(np.array([0.9, 0.8, 0.2, 0.1]), same)) == 0
    assert equal_error_rate(error_curve(np.array([0.1, 0.2, 0.8, 0.9]), same)) == 1
    assert equal_error_rate(error_curve(np.full(4, 0.5), same)) == pytest.approx(0.5)
    assert min_dcf(error_curve(np.full(4, 0.5), same)) == pytest.approx(1)


def test_one_error_of_four() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.3, 0.6, 0.2, 0.1, 0.0])
    same = np.array([True] * 4 + [False] * 4)
    assert equal_error_rate(error_curve(scores, same)) == pytest.approx(0.25)


def test_curve_equals_a_naive_scan() -> None:
    scores, same = gaussians(40, 1.0)
    scores[::5] = scores[0]  # ties
    curve = error_curve(scores, same)
    naive = np.unique(np.round(naive_rates(scores, same), 9), axis=0)
    found = np.unique(np.round(np.stack([curve.miss, curve.false_alarm], axis=1), 9), axis=0)
    np.testing.assert_allclose(found, naive, atol=1e-9)
    cost = min((0.01 * miss + 0.99 * alarm) / 0.01 for miss, alarm in naive)
    assert min_dcf(curve) == pytest.approx(cost)


def test_rate_of_two_gaussians() -> None:
    scores, same = gaussians(50_000, 2.0)
    assert equal_error_rate(error_curve(scores, same)) == pytest.approx(0.1587, abs=0.004)


def test_bootstrap_interval_holds_the_figure_and_weights_count_copies() -> None:
    scores, same = gaussians(200, 2.0)
    speakers = [f"s{i % 25}" for i in range(400)]
    others = [s if t else f"s{(i + 1) % 25}" for i, (s, t) in enumerate(zip(speakers, same))]
    draws = speaker_bootstrap(scores, same, (speakers, others), 200)
    low, high = np.percentile(draws[:, 0], [2.5, 97.5])
    assert low < equal_error_rate(error_curve(scores, same)) < high
    doubled = np.concatenate([scores, scores[:50]]), np.concatenate([same, same[:50]])
    weights = np.ones(400)
    weights[:50] = 2
    assert equal_error_rate(error_curve(*doubled)) == pytest.approx(
        equal_error_rate(error_curve(scores, same, weights)))


def test_calibration_recovers_the_known_ratio() -> None:
    """Two unit Gaussians d apart: llr = d * s - d^2 / 2."""
    scores, same = gaussians(100_000, 2.0)
    fitted = fit_calibration(scores, same)
    assert fitted.slope == pytest.approx(2.0, abs=0.05)
    assert fitted.offset == pytest.approx(-2.0, abs=0.05)
    assert fitted.threshold == pytest.approx(1.0, abs=0.02)
    assert calibration_cost(scores, same, fitted) < calibration_cost(scores, same, Calibration(1, 0))


def test_calibration_does_not_depend_on_the_share_of_targets() -> None:
    scores, same = gaussians(50_000, 2.0)
    few = same & (np.arange(len(same)) % 10 == 0) | ~same
    assert fit_calibration(scores[few], same[few]).threshold == pytest.approx(1.0, abs=0.03)


def test_scores_upside_down_are_refused() -> None:
    scores, same = gaussians(100, 2.0)
    with pytest.raises(ValueError, match="do not mean the same speaker"):
        fit_calibration(-scores, same)


def test_a_bad_trial_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trials.txt"
    path.write_text("a.wav b.wav 1\n\na.wav c.wav yes\n")
    with pytest.raises(ValueError, match=r":3: "):
        read_trials(path)
    path.write_text("a.wav b.wav 1\n\na.wav c.wav 0\n")
    assert [t.same for t in read_trials(path)] == [True, False]


def test_metadata_changes_and_tensors_stay(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    header = b'{"__metadata__":{"name":"x"},"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"12345678")
    safetensors_header.update_metadata(path, {"threshold": "0.5"})
    found, tensors = safetensors_header.read(path)
    assert found["__metadata__"] == {"name": "x", "threshold": "0.5"}
    assert tensors == b"12345678"
    assert (path.stat().st_size - 8) % 8 == 0
    path.write_bytes((1 << 40).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match="beyond the file"):
        safetensors_header.read(path)
