"""What the student is trained on: the teacher's vectors and the speakers' labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Distillation(nn.Module):
    """Cosine to the teacher + similarity structure of the batch + CosFace softmax over speakers.

    The class weights start as the teacher's speaker means, so the softmax is useful from the first
    step, also for the speakers with a second or two of speech. There is room for `capacity`
    classes, since variants of the data may arrive while the run goes on.
    """

    def __init__(self, capacity: int, scale: float, margin: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(capacity, 256))
        self.classes = 0
        self.scale = scale
        self.margin = margin

    def extend(self, class_targets: Tensor) -> None:
        """Make the weights of classes not seen so far those of the teacher."""
        with torch.no_grad():
            self.weight[self.classes : len(class_targets)] = class_targets[self.classes :]
        self.classes = len(class_targets)

    def forward(
        self,
        embeddings: Tensor,  # [B, 256]
        targets: Tensor,  # [B, 256], unit norm
        classes: Tensor,  # [B]
        weights: tuple[float, float, float],
    ) -> tuple[Tensor, dict[str, float]]:
        unit = functional.normalize(embeddings.float(), dim=1)
        cosine = (unit * targets).sum(1).mean()
        gap = unit @ unit.T - targets @ targets.T
        relation = gap.square().mean()
        logits = unit @ functional.normalize(self.weight[: self.classes], dim=1).T
        logits = logits - self.margin * functional.one_hot(classes, self.classes)
        softmax = functional.cross_entropy(self.scale * logits, classes)
        loss = weights[0] * (1 - cosine) + weights[1] * relation + weights[2] * softmax
        log = {"cosine": cosine.item(), "relation": relation.item(), "softmax": softmax.item()}
        return loss, log
