"""How well a network in training tells a trial list's voices apart, and how near it is to the teacher."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.crops import unit
from train.student import Student
from train.teacher import to_student
from vptools.features import fbank, read_samples
from vptools.verification import Trial, equal_error_rate, error_curve, min_dcf, read_trials

Embeddings = dict[str, np.ndarray]


@dataclass
class TrialSet:
    """Clips [T, 80], mean removed, by name, the corpus of each, and the trials between them."""

    features: dict[str, Tensor] = field(default_factory=dict)
    corpus: dict[str, str] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    teacher: Embeddings = field(default_factory=dict)  # [256] in the student's space, any length

    @staticmethod
    def of_folder(folder: Path) -> TrialSet:
        """clips.csv, trials.txt and, where there is one, teacher.npz: see left_out.py."""
        out = TrialSet(trials=read_trials(folder / "trials.txt"))
        with (folder / "clips.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                out.features[row["clip"]] = fbank(read_samples(folder / row["clip"]))
                out.corpus[row["clip"]] = row["corpus"]
        if (folder / "teacher.npz").exists():
            with np.load(folder / "teacher.npz") as file:
                vectors = to_student(file["vectors"].astype(np.float32))
                out.teacher = dict(zip(file["clips"].tolist(), vectors))
        return out

    def rates(self, embeddings: Embeddings) -> dict[str, tuple[float, float]]:
        """(EER in percent, minDCF) over all trials, and over those within each corpus."""
        alike = {name: unit(vector) for name, vector in embeddings.items()}
        scores = np.array([float(alike[t.a] @ alike[t.b]) for t in self.trials])
        same = np.array([t.same for t in self.trials])
        pairs = np.array([(self.corpus[t.a], self.corpus[t.b]) for t in self.trials])
        out = {}
        for corpus in ["all", *sorted(set(self.corpus.values()))]:
            k = np.full(len(same), True) if corpus == "all" else (pairs == corpus).all(1)
            if 0 < same[k].sum() < k.sum():
                curve = error_curve(scores[k], same[k])
                out[corpus] = (100 * equal_error_rate(curve), min_dcf(curve))
        return out

    def likeness(self, embeddings: Embeddings, centre: np.ndarray) -> float:
        """Mean cosine to the teacher's vectors, relative to its mean speaker."""
        cosines = [float(unit(embeddings[name]) @ unit(vector - centre)) for name, vector in self.teacher.items()]
        return float(np.mean(cosines)) if cosines else float("nan")


@torch.no_grad()
def embed(model: Student, features: dict[str, Tensor]) -> Embeddings:
    """Embeddings of whole clips, as they leave the network, in evaluation mode."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    out = {name: model(feats[None].to(device))[0].float().cpu().numpy() for name, feats in features.items()}
    model.train(was_training)
    return out
