"""What the run does when: all of it a function of progress, the share of the run's time used.

Progress follows the wall clock (`--until`) or the time spent computing (`--hours`), so that the
learning rate reaches zero on time however much of the processor others take.
"""

from __future__ import annotations

from dataclasses import dataclass

LONG_STEP_S = 120.0  # a longer step means the process was stopped; it is not counted as work


@dataclass(frozen=True)
class Phase:
    """From `start` (share of the run) on: blocks per stage, crops and loss weights."""

    start: float
    blocks: tuple[int, int, int, int]
    n_frames: int
    batch: int
    losses: tuple[float, float, float]  # teacher cosine, batch similarity, speaker softmax


LOSSES = (4.0, 20.0, 0.1)
SCHEDULES = {
    # An hour or two on two cores: one block a stage, clips of real length at the end.
    "short": (
        Phase(0.00, (1, 1, 1, 1), 160, 48, LOSSES),
        Phase(0.86, (1, 1, 1, 1), 280, 32, LOSSES),
    ),
    # Hours on many cores, minutes on a GPU: voices are learned cheaply first, then in full depth.
    "long": (
        Phase(0.00, (1, 1, 1, 1), 160, 64, LOSSES),
        Phase(0.30, (2, 2, 2, 2), 160, 64, LOSSES),
        Phase(0.50, (3, 4, 6, 3), 160, 64, LOSSES),
        Phase(0.85, (3, 4, 6, 3), 280, 64, LOSSES),
    ),
}


def phase_at(phases: tuple[Phase, ...], progress: float) -> Phase:
    return [p for p in phases if p.start <= progress][-1]


def learning_rate(progress: float, warmup: float = 0.015, floor: float = 0.003) -> float:
    """Multiplier of the peak rates: a short warm-up, then linear to (almost) zero."""
    rise = min(1.0, (progress + 1e-4) / warmup)
    return rise * max(floor, 1.0 - progress)


class Clock:
    """Progress of a run that may be stopped, paused or resumed."""

    def __init__(self, began: float, until: float | None, seconds: float | None) -> None:
        self.began = began  # Unix time of the first start
        self.until = until  # Unix time of the end, or
        self.seconds = seconds  # computing time of the whole run
        self.worked = 0.0  # computing time so far

    def tick(self, step_seconds: float) -> None:
        self.worked += min(step_seconds, LONG_STEP_S)

    def progress(self, now: float) -> float:
        if self.until is not None:
            return min(1.0, (now - self.began) / max(1.0, self.until - self.began))
        return min(1.0, self.worked / (self.seconds or 1.0))

    def left(self, now: float) -> float:
        """Seconds until the end."""
        if self.until is not None:
            return max(0.0, self.until - now)
        return max(0.0, (self.seconds or 0.0) - self.worked)
