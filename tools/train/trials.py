"""Error rates of a network in training: on a trial list, and on the speakers held out."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.crops import Variant, held_out
from train.student import Student
from vptools.features import fbank, read_samples
from vptools.verification import Trial, equal_error_rate, error_curve, min_dcf, read_trials

CLIPS = 6  # at most, of a held-out speaker
CLIP_FRAMES = (200, 500)


@dataclass
class TrialSet:
    """Clips [T, 80], mean removed, by name, the corpus of each, and the trials between them."""

    features: dict[str, Tensor] = field(default_factory=dict)
    corpus: dict[str, str] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)

    @staticmethod
    def of_folder(folder: Path) -> TrialSet:
        """clips.csv and trials.txt."""
        out = TrialSet(trials=read_trials(folder / "trials.txt"))
        with (folder / "clips.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                out.features[row["clip"]] = fbank(read_samples(folder / row["clip"]))
                out.corpus[row["clip"]] = row["corpus"]
        return out

    @staticmethod
    def of_held_out(variant: Variant) -> TrialSet:
        """Clips of 2 to 5 s of the held-out speakers, every pair within a corpus."""
        out = TrialSet()
        rng = np.random.default_rng(7)
        speaker_of = {}
        for speaker in np.flatnonzero(held_out(variant.corpora)):
            first, count, _, _ = variant.rows[speaker]
            at = 0
            for clip in range(CLIPS):
                n_frames = int(rng.integers(*CLIP_FRAMES)) if count >= 400 else int(count) // 2
                if at + min(n_frames, 150) > count:
                    break
                name = f"{variant.speakers[speaker]}/{clip}"
                part = variant.fbank[first + at : first + min(count, at + n_frames)].astype(np.float32)
                out.features[name] = torch.from_numpy(part - part.mean(0))
                out.corpus[name], speaker_of[name] = str(variant.corpora[speaker]), int(speaker)
                at += n_frames
        names = list(out.features)
        for i, a in enumerate(names):
            for b in names[:i]:
                if out.corpus[a] == out.corpus[b]:
                    out.trials.append(Trial(a, b, speaker_of[a] == speaker_of[b]))
        return out

    def rates(self, embeddings: dict[str, np.ndarray]) -> dict[str, tuple[float, float]]:
        """(EER in percent, minDCF) over all trials, and over those within each corpus."""
        scores = np.array([float(embeddings[t.a] @ embeddings[t.b]) for t in self.trials])
        same = np.array([t.same for t in self.trials])
        pairs = np.array([(self.corpus[t.a], self.corpus[t.b]) for t in self.trials])
        out = {}
        for corpus in ["all", *sorted(set(self.corpus.values()))]:
            k = np.full(len(same), True) if corpus == "all" else (pairs == corpus).all(1)
            if 0 < same[k].sum() < k.sum():
                curve = error_curve(scores[k], same[k])
                out[corpus] = (100 * equal_error_rate(curve), min_dcf(curve))
        return out


@torch.no_grad()
def embed(model: Student, features: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Unit embeddings of whole clips, in evaluation mode, bfloat16."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    out = {}
    for name, feats in features.items():
        with torch.autocast(device.type, torch.bfloat16):
            vector = model(feats[None].to(device))[0].float()
        out[name] = torch.nn.functional.normalize(vector, dim=0).cpu().numpy()
    model.train(was_training)
    return out
