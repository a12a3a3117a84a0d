"""He-initialised weights on which errors show.

Freshly initialised, this network maps every clip to nearly one vector, and a cosine test passes
whatever the front end does. So: BatchNorm statistics are taken from generated voices (each layer
then sees centred, unit-variance input, as after training) and disturbed, and the last layer is
centred on those voices. All parts are non-trivial: no gamma is 1, no bias is 0.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from signals import voice  # noqa: E402
from vptools.features import fbank  # noqa: E402
from vptools.resnet import Architecture, ResNet  # noqa: E402

# Beyond this many blocks a stage's residual branches are made smaller, as training makes them:
# dozens of full ones amplify rounding a thousandfold, in any engine.
CALM_BLOCKS = 6


def calibration_voices(n_mels: int, n_voices: int = 24, n_frames: int = 150) -> Tensor:
    """Features of generated voices [n_voices, n_frames, n_mels]."""
    clips = [fbank(voice(9000 + i, 400 + 160 * (n_frames - 1)) / 32768) for i in range(n_voices)]
    return torch.stack(clips)[:, :, :n_mels].float()


@torch.no_grad()
def untrained(arch: Architecture, seed: int) -> ResNet:
    """A network of that shape with well-spread weights, in evaluation mode."""
    g = torch.Generator().manual_seed(seed)

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(like.shape, generator=g)

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=g)

    model = ResNet(arch)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            fan_in = m.weight[0].numel()
            m.weight.copy_(normal(m.weight) * (2 / fan_in) ** 0.5)
    for m in norms:
        m.weight.copy_(uniform(m.weight, 0.6, 1.4))
        m.bias.copy_(0.3 * normal(m.bias))
        m.momentum = None  # running statistics become those of the one batch below
    for layer in (model.layer1, model.layer2, model.layer3, model.layer4):
        for block in layer:
            last = block.bn3 if arch.bottleneck else block.bn2
            last.weight.mul_(min(1.0, CALM_BLOCKS / len(layer)))
    voices = calibration_voices(arch.n_mels)
    model.train().stages(voices)
    for m in norms:
        m.momentum = 0.1
        m.running_mean.add_(0.1 * m.running_var.sqrt() * normal(m.running_mean))
        m.running_var.mul_(uniform(m.running_var, 0.8, 1.25))

    pooled = model.eval().stages(voices)["pooled"]
    weight = normal(model.seg_1.weight) * (1 / arch.dim) ** 0.5
    weight = weight / (pooled - pooled.mean(0)).norm(dim=1).mean()  # norms of about 1
    model.seg_1.weight.copy_(weight)
    model.seg_1.bias.copy_(0.01 * normal(model.seg_1.bias) - weight @ pooled.mean(0))
    return model
