"""What the run does when: all of it a function of progress, the share of the run's time used.

Time is the processor time of the training steps, so that a run may be stopped, paused or starved by
other work for days and still end where it was meant to. It can also be shortened on the way, since
progress is worked out anew from the hours that the whole run is given.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """From `start` (share of the run) on: blocks per stage, crops and loss weights."""

    start: float
    blocks: tuple[int, int, int, int]
    n_frames: tuple[int, int]  # least and most of a batch
    batch: int


# Voices are learned cheaply first, then in full depth, then from clips as long as real ones, of which
# half as many fill the same memory.
PHASES = (
    Phase(0.00, (1, 1, 1, 1), (160, 160), 48),
    Phase(0.25, (2, 2, 2, 2), (160, 160), 48),
    Phase(0.50, (3, 4, 6, 3), (160, 160), 48),
    Phase(0.85, (3, 4, 6, 3), (280, 400), 24),
)
LOSSES = (4.0, 20.0, 0.1)  # weights of: teacher cosine, batch similarity, speaker softmax


def phase_at(phases: tuple[Phase, ...], progress: float) -> Phase:
    return [p for p in phases if p.start <= progress][-1]


def learning_rate(progress: float, warmup: float = 0.01, floor: float = 0.003) -> float:
    """Multiplier of the peak rates: a short warm-up, then linear to (almost) zero."""
    rise = min(1.0, (progress + 1e-4) / warmup)
    return rise * max(floor, 1.0 - progress)


@dataclass
class Clock:
    """Progress of a run that may be stopped, paused or resumed."""

    seconds: float  # of processor time, for the whole run
    worked: float = 0.0  # so far

    def progress(self) -> float:
        return min(1.0, self.worked / self.seconds)

    def left(self) -> float:
        return max(0.0, self.seconds - self.worked)
