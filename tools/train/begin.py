"""The student before its first step: a trained trunk, and a last layer fitted to the teacher by ridge regression.

The trunk is that of the model in the box, which has learned from another teacher. Its last layer knows
only that one's space; a linear fit gives it the new one's at once, for the price of one pass forward.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from train.augment import augment
from train.crops import Crops
from train.student import Student

N_BATCHES, BATCH, N_FRAMES = 48, 48, 200
STRENGTH = 1e4  # of the ridge, beside sums over some 2,300 crops
# Of the fitted weights. Only the direction of an embedding counts, and AdamW's first steps, which are
# of one size for all weights, would wipe out a layer with weights of the size that the fit gives.
DEVIATION = 0.02


def fit_ridge(inputs: Tensor, targets: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """[N, P], [N, D] -> weight [D, P] and bias [D] of the linear layer."""
    x, y = inputs.double(), targets.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    gram = x.T @ x + strength * torch.eye(x.shape[1], dtype=x.dtype)
    weight = torch.linalg.solve(gram, x.T @ y).T
    return weight.float(), (y_mean - weight @ x_mean).float()


@torch.no_grad()
def fit_last_layer(
    model: Student, crops: Crops, n_batches: int = N_BATCHES, strength: float = STRENGTH
) -> float:
    """Fit it on augmented crops of the training speakers; returns the cosine reached on them."""
    was_training = model.training
    model.eval()
    inputs, targets = [], []
    for _ in range(n_batches):
        x, target, _ = crops.batch(BATCH, N_FRAMES, per_speaker=1)
        x = augment(x)
        inputs.append(model.pooled(x - x.mean(1, keepdim=True)))
        targets.append(target)
    x, y = torch.cat(inputs), torch.cat(targets)
    weight, bias = fit_ridge(x, y, strength)
    cosine = torch.cosine_similarity(x @ weight.T + bias, y).mean().item()
    scale = DEVIATION / weight.std()
    model.seg_1.weight.copy_(scale * weight)
    model.seg_1.bias.copy_(scale * bias)
    model.train(was_training)
    return cosine


def load_trunk(model: Student, path: Path) -> None:
    """Everything but the last layer from a .safetensors file of the same network."""
    from safetensors.torch import load_file

    state = {name: value.float() for name, value in load_file(path).items() if not name.startswith("seg_1.")}
    missing, surplus = model.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.startswith("seg_1.") and "num_batches" not in name]
    if missing or surplus:
        raise SystemExit(f"{path}: not a trunk of this network: {(missing + surplus)[0]}")
