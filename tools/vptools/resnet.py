"""The network of core/MODEL.md in PyTorch: the executable twin of core/network/resnet.c.

A state dict of it has exactly the names of a WeSpeaker checkpoint (`avg_model.pt`), so published
weights load with `strict=True`. Layout letters: B batch, C channel, F frequency, T time.
Runs on torch 1.13 and on 2.x.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = ("conv1", "layer1", "layer2", "layer3", "layer4", "pooled", "embedding")
MIN_FRAMES = 9  # fewer leave a single frame after layer4, and one frame has no variance


@dataclass(frozen=True)
class Architecture:
    """Everything that decides the shapes."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    channels: int = 32  # of the stem and of layer1; doubles with each stage
    n_mels: int = 80
    dim: int = 256  # embedding length
    bottleneck: bool = False

    @staticmethod
    def of(state: Mapping[str, Tensor]) -> "Architecture":
        """Reads the architecture off the names and shapes of a state dict."""
        blocks = []
        for layer in range(1, 5):
            indices = {int(m[1]) for m in (re.match(rf"layer{layer}\.(\d+)\.", k) for k in state) if m}
            if indices != set(range(len(indices))) or not indices:
                raise ValueError(f"layer{layer} has blocks {sorted(indices)}: not 0, 1, 2, ...")
            blocks.append(len(indices))
        for name in ("conv1.weight", "seg_1.weight"):
            if name not in state:
                raise ValueError(f"the checkpoint has no {name}")
        channels = state["conv1.weight"].shape[0]
        bottleneck = "layer1.0.conv3.weight" in state
        dim, n_stats = state["seg_1.weight"].shape
        rows = 2 * channels * 8 * (4 if bottleneck else 1)  # means and stds of layer4's channels
        if n_stats % rows:
            raise ValueError(f"seg_1 takes {n_stats} statistics, not a multiple of {rows}")
        return Architecture(tuple(blocks), channels, n_stats // rows * 8, dim, bottleneck)


RESNETS = {
    "resnet34": Architecture(),
    "resnet50": Architecture((3, 4, 6, 3), bottleneck=True),
    "resnet101": Architecture((3, 4, 23, 3), bottleneck=True),
    "resnet152": Architecture((3, 8, 36, 3), bottleneck=True),
    "resnet221": Architecture((6, 16, 48, 3), bottleneck=True),
    "resnet293": Architecture((10, 20, 64, 3), bottleneck=True),
}


def _shortcut(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    """The input itself where the shapes allow it, else a 1x1 projection."""
    if stride == 1 and n_in == n_out:
        return nn.Sequential()
    return nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))


class BasicBlock(nn.Module):
    """3x3, 3x3, plus the shortcut."""

    expansion = 1

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = _shortcut(n_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.shortcut(x)
        return functional.relu(y)


class Bottleneck(nn.Module):
    """1x1 down, 3x3 (which carries the stride), 1x1 up to four times the width, plus the shortcut."""

    expansion = 4

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        n_out = width * self.expansion
        self.conv1 = nn.Conv2d(n_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.shortcut = _shortcut(n_in, n_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += self.shortcut(x)
        return functional.relu(y)


class ResNet(nn.Module):
    """feats [B, T, n_mels], mean over time removed -> embedding [B, dim], not normalised."""

    def __init__(self, arch: Architecture = Architecture()) -> None:
        super().__init__()
        if len(arch.blocks) != 4 or min(arch.blocks) < 1 or arch.n_mels % 8:
            raise ValueError(f"{arch}: four stages of at least a block and n_mels a multiple of 8")
        self.arch = arch
        block = Bottleneck if arch.bottleneck else BasicBlock
        self.conv1 = nn.Conv2d(1, arch.channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(arch.channels)
        n_in = arch.channels
        for stage, n_blocks in enumerate(arch.blocks):
            width = arch.channels << stage
            layers = []
            for i in range(n_blocks):
                stride = 2 if stage > 0 and i == 0 else 1
                layers.append(block(n_in, width, stride))
                n_in = width * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.seg_1 = nn.Linear(2 * n_in * (arch.n_mels // 8), arch.dim)

    def stages(self, feats: Tensor) -> dict[str, Tensor]:
        """Every stage's output, by the names in STAGES, in that order."""
        x = feats.permute(0, 2, 1).unsqueeze(1)  # [B, T, F] -> [B, 1, F, T]
        out = {"conv1": functional.relu(self.bn1(self.conv1(x)))}
        out["layer1"] = self.layer1(out["conv1"])  # [B,  C, F,   T]
        out["layer2"] = self.layer2(out["layer1"])  # [B, 2C, F/2, ceil(T/2)]
        out["layer3"] = self.layer3(out["layer2"])  # [B, 4C, F/4, ceil(T/4)]
        out["layer4"] = self.layer4(out["layer3"])  # [B, 8C, F/8, ceil(T/8)]
        out["pooled"] = statistics(out["layer4"])
        out["embedding"] = self.seg_1(out["pooled"])
        return out

    def forward(self, feats: Tensor) -> Tensor:
        return self.stages(feats)["embedding"]


def statistics(x: Tensor) -> Tensor:
    """TSTP: [B, C, F, T] -> [B, 2 * C * F], all means, then all standard deviations over time.

    Rows run C-major, then F. The variance is the unbiased one.
    """
    mean = x.mean(dim=-1)
    std = torch.sqrt(torch.var(x, dim=-1) + 1e-7)
    return torch.cat((mean.flatten(start_dim=1), std.flatten(start_dim=1)), 1)


def load(state: Mapping[str, Tensor]) -> ResNet:
    """The network that a state dict of WeSpeaker's names describes, in evaluation mode."""
    model = ResNet(Architecture.of(state))
    missing, surplus = model.load_state_dict(dict(state), strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or surplus:
        raise ValueError(f"missing: {missing or 'nothing'}; not explained: {surplus or 'nothing'}")
    for name, tensor in state.items():
        if name.endswith("running_var") and not (tensor >= 0).all():
            raise ValueError(f"{name} has a negative variance")
    return model.eval()


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """The float tensors of a network, by WeSpeaker's names: 182 for ResNet34."""
    return {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
