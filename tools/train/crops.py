"""Random crops of the prepared features, with their teacher targets and classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.teacher import STEP_FRAMES, STUDENT_DIM, WINDOW_FRAMES, to_student

N_MELS = 80
LONGEST_S = 400.0  # of a speaker's speech, when it is weighed against that of others
# Scarce corpora that resemble real use are drawn more often than their length alone would have it.
CORPUS_WEIGHT = {"alphanumeric": 3.0, "arabic-sc": 2.0}
SPEED_DOUBT = 6.0  # 0.9 is drawn 0.53 times as often as natural speed, 0.84 0.35 times
DEGRADED = 0.4  # share of the crops
# Speakers kept out of training, to measure on: every n-th of a corpus.
HELD_OUT_EVERY = {"librispeech": 20, "speechocean": 16, "alphanumeric": 7, "arabic-sc": 6}
HELD_OUT_DEFAULT = 58


def held_out(corpora: np.ndarray) -> np.ndarray:
    """Which of the speakers (in the order of the index) are kept out, bool [S]."""
    out = np.zeros(len(corpora), dtype=bool)
    for corpus in np.unique(corpora):
        index = np.flatnonzero(corpora == corpus)
        out[index[3 :: HELD_OUT_EVERY.get(str(corpus), HELD_OUT_DEFAULT)]] = True
    return out


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


@dataclass
class Variant:
    """The corpus at one playback speed (see prepare.py)."""

    fbank: np.ndarray  # [N, 80] float16, a map of the file
    degraded: np.ndarray  # [N, 80] float16, a map of the file
    teacher: np.ndarray  # [W, 256] float32, in the student's space, of any length
    rows: np.ndarray  # [S, 4]: first frame, frames, first window, windows
    speakers: np.ndarray  # [S] names
    corpora: np.ndarray  # [S] names
    speed: float

    @staticmethod
    def load(folder: Path) -> Variant:
        with np.load(folder / "index.npz") as index:
            return Variant(
                np.load(folder / "fbank.npy", mmap_mode="r"),
                np.load(folder / "degraded.npy", mmap_mode="r"),
                to_student(np.load(folder / "teacher.npy").astype(np.float32)),
                index["rows"],
                index["speakers"],
                index["corpora"],
                float(index["speed"]),
            )

    def means(self) -> np.ndarray:
        """Each speaker's mean teacher vector, [S, 256]."""
        return np.stack([self.teacher[w : w + n].mean(0) for _, _, w, n in self.rows])

    def crop(self, speaker: int, at: int, n_frames: int, degraded: bool = False) -> np.ndarray:
        """[n_frames, 80] from frame `at` of the speaker on; too little speech is repeated."""
        first, count, _, _ = self.rows[speaker]
        part = (self.degraded if degraded else self.fbank)[first + at : first + min(count, at + n_frames)]
        return np.resize(part, (n_frames, N_MELS))

    def heard(self, speaker: int, at: int, n_frames: int) -> np.ndarray:
        """The mean of the teacher's windows that a crop's middle third lies in, [256]."""
        _, _, window, n_windows = self.rows[speaker]
        first, last = (min((at + part * n_frames // 3) // STEP_FRAMES, n_windows - 1) for part in (1, 2))
        return self.teacher[window + first : window + last + 1].mean(0)


class Crops:
    """Draws batches from every variant in a folder. A class is a speaker at one speed.

    A target is the speaker's mean teacher vector blended with that of the crop, both relative to
    the mean speaker. `mean_share` of it is the speaker's: less noise than a crop of a second has.
    """

    def __init__(self, root: Path, mean_share: float, seed: int) -> None:
        self.root = root
        self.mean_share = mean_share
        self.rng = np.random.default_rng(seed)
        self.variants: list[Variant] = []  # in the order they came: it numbers the classes
        self.names: list[str] = []
        self.targets: list[np.ndarray] = []  # per variant, [S, 256], unit length
        self.refresh()
        if not self.variants:
            raise SystemExit(f"{root}: no prepared speed; run `tools/train prepare` first")

    def refresh(self) -> list[str]:
        """Take in the speeds prepared since, oldest first; returns their names."""
        found = sorted(self.root.glob("*/index.npz"), key=lambda path: path.stat().st_mtime_ns)
        fresh = [path.parent for path in found if path.parent.name not in self.names]
        for folder in fresh:
            variant = Variant.load(folder)
            if not self.variants:
                self._count_speakers(variant)
            self.variants.append(variant)
            self.names.append(folder.name)
            self.targets.append(unit(variant.means() - self.centre))
        return [folder.name for folder in fresh]

    def _count_speakers(self, variant: Variant) -> None:
        """Who is trained on, how often, and the mean of all of them: from the first variant."""
        kept = ~held_out(variant.corpora)
        self.train = np.flatnonzero(kept)
        self.class_of = np.cumsum(kept) - 1
        self.centre = variant.means()[kept].mean(0)
        weight = np.sqrt(np.minimum(variant.rows[kept, 1] / 100, LONGEST_S))
        weight *= [CORPUS_WEIGHT.get(str(corpus), 1.0) for corpus in variant.corpora[kept]]
        self.weight = weight / weight.sum()

    def class_targets(self) -> Tensor:
        """The teacher's vectors of the classes, [speeds * speakers, 256], unit length."""
        return torch.from_numpy(np.concatenate([targets[self.train] for targets in self.targets]))

    def batch(self, size: int, n_frames: int, per_speaker: int) -> tuple[Tensor, Tensor, Tensor]:
        """Crops [size, n_frames, 80], targets [size, 256], classes [size]."""
        x = np.empty((size, n_frames, N_MELS), dtype=np.float16)
        targets = np.empty((size, STUDENT_DIM), dtype=np.float32)
        classes = np.empty(size, dtype=np.int64)
        n_drawn = size // per_speaker
        speakers = self.rng.choice(self.train, n_drawn, p=self.weight)
        odds = np.exp(-SPEED_DOUBT * np.abs(np.log([variant.speed for variant in self.variants])))
        speeds = self.rng.choice(len(self.variants), n_drawn, p=odds / odds.sum())
        for i in range(size):
            speaker, k = speakers[i % n_drawn], int(speeds[i % n_drawn])
            variant = self.variants[k]
            at = int(self.rng.integers(max(variant.rows[speaker, 1] - n_frames, 0) + 1))
            x[i] = variant.crop(speaker, at, n_frames, degraded=self.rng.random() < DEGRADED)
            own = unit(variant.heard(speaker, at, n_frames) - self.centre)
            share = self.mean_share
            targets[i] = unit(share * self.targets[k][speaker] + (1 - share) * own)
            classes[i] = k * len(self.train) + self.class_of[speaker]
        return torch.from_numpy(x).float(), torch.from_numpy(targets), torch.from_numpy(classes)
