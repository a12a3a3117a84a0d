"""Muon for the convolutions, AdamW for the rest.

Muon (K. Jordan and others, 2024) steps along the momentum made orthogonal. Every convolution here
is followed by BatchNorm, so the length of its weight is free: it is kept at one per output channel,
which makes the learning rate a relative step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from train.precision import fast_bfloat16

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_ROUNDS = 4


def orthogonalise(matrix: Tensor) -> Tensor:
    """[m, n] -> about the nearest matrix whose singular values are all one."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix / (matrix.norm() + 1e-7)
    x = x.bfloat16() if fast_bfloat16(x.device) else x
    x = x.T if tall else x
    for _ in range(NEWTON_SCHULZ_ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """For convolution weights [out, in, kh, kw]."""

    def __init__(self, params: list[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # the closure of the base class has no use here
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:  # a block that does not run yet
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                ahead = p.grad.lerp(state["momentum"], group["momentum"])  # Nesterov
                update = orthogonalise(ahead.reshape(len(p), -1)).reshape(p.shape)
                p.mul_(len(p) ** 0.5 / p.norm())
                p.sub_(update, alpha=group["lr"])


def optimisers(
    model: nn.Module, head: nn.Module, lr: float, muon_lr: float
) -> list[torch.optim.Optimizer]:
    """Muon over all convolutions but the first, AdamW over the rest; `peak` keeps each rate."""
    convolutions, matrices, vectors = [], [], []
    for name, p in model.named_parameters():
        if p.ndim == 4 and name != "conv1.weight":
            convolutions.append(p)
        else:
            (matrices if p.ndim > 1 else vectors).append(p)
    groups = [
        {"params": matrices, "weight_decay": 0.05},
        {"params": vectors, "weight_decay": 0.0},
        # Speakers with seconds of speech must not pull the class weights far from the teacher.
        {"params": list(head.parameters()), "weight_decay": 0.0, "lr": 0.05 * lr},
    ]
    both = [Muon(convolutions, muon_lr), torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98))]
    for optimiser in both:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return both
