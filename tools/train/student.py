"""The network in training: WeSpeaker's ResNet34, shallow at first.

A block that does not run yet is an exact identity: the last BatchNorm of its main branch has zero
weight and bias, and the ReLU of what a ReLU gave changes nothing. So the state is that of a valid
full network at any time, and switching blocks on goes on from the same function.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vptools.resnet import ResNet, statistics


class Student(ResNet):
    """Features [B, T, 80], mean removed -> embeddings [B, 256], not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.active = self.arch.blocks  # blocks that run, per stage
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for stage in range(1, 5):
            for block in getattr(self, f"layer{stage}"):
                if len(block.shortcut) == 0:
                    nn.init.zeros_(block.bn2.weight)

    def pooled(self, feats: Tensor) -> Tensor:
        """What the last layer is given, [B, 5120]."""
        x = feats.transpose(1, 2).unsqueeze(1).contiguous()
        x = functional.relu(self.bn1(self.conv1(x)))
        for stage, n_blocks in enumerate(self.active):
            for block in getattr(self, f"layer{stage + 1}")[:n_blocks]:
                x = block(x)
        return statistics(x.float())

    def forward(self, feats: Tensor) -> Tensor:
        pooled = self.pooled(feats)
        # The last layer stays in float32 under autocast.
        with torch.autocast(pooled.device.type, enabled=False):
            return self.seg_1(pooled)
