"""CAM++ in PyTorch (H. Wang and others, arXiv 2303.00332): speaker embeddings by dense 1-D convolutions.

A state dict of it has exactly the names of a 3D-Speaker or WeSpeaker checkpoint, so published
weights load with `strict=True`. Layout letters: B batch, C channel, F frequency, T time.

The front end is not that of the ResNets: a Povey window, and samples in [-1, 1] where Kaldi has 16-bit
values, which matters where a log meets its floor. See `features`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vptools.features import fbank

STAGES = ("head", "tdnn", "block1", "block2", "block3", "pooled", "embedding")
SEGMENT_FRAMES = 100  # over which a gate takes its local mean, after the stride of `tdnn`
HEAD_CHANNELS = 32
HEAD_STRIDE = 8  # in frequency: 80 bins become 10
N_MELS = 80
TDNN_TAPS, TDNN_STRIDE = 5, 2
TAPS = 3
DILATIONS = (1, 2, 2)
MIN_FRAMES = 3  # fewer leave a single frame after `tdnn`, and one frame has no variance


@dataclass(frozen=True)
class Architecture:
    """Everything that decides the shapes."""

    layers: tuple[int, ...] = (12, 24, 16)  # of the three dense blocks
    channels: int = 128  # that the first block begins with
    growth: int = 32  # channels that a layer adds
    bottleneck: int = 128  # channels within a layer
    dim: int = 192  # embedding length

    @staticmethod
    def of(state: Mapping[str, Tensor]) -> "Architecture":
        """Reads the architecture off the names and shapes of a state dict."""
        layers = []
        for block in range(1, len(DILATIONS) + 1):
            found = (re.match(rf"xvector\.block{block}\.tdnnd(\d+)\.", name) for name in state)
            indices = {int(m[1]) for m in found if m}
            if not indices or indices != set(range(1, len(indices) + 1)):
                raise ValueError(f"block{block} has layers {sorted(indices)}: not 1, 2, 3, ...")
            layers.append(len(indices))
        shapes = []
        for name in ("xvector.tdnn.linear.weight", "xvector.block1.tdnnd1.cam_layer.linear_local.weight",
                     "xvector.dense.linear.weight"):  # fmt: skip
            if name not in state:
                raise ValueError(f"the checkpoint has no {name}")
            shapes.append(tuple(state[name].shape))
        (channels, *_), (growth, bottleneck, *_), (dim, *_) = shapes
        return Architecture(tuple(layers), channels, growth, bottleneck, dim)


class HeadBlock(nn.Module):
    """3x3, 3x3, plus the shortcut; the stride is one of frequency alone. [B, C, F, T]."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        c = HEAD_CHANNELS
        self.conv1 = nn.Conv2d(c, c, 3, (stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(c, c, 1, (stride, 1), bias=False), nn.BatchNorm2d(c))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Head(nn.Module):
    """The front of 2-D convolutions: [B, 1, 80, T] -> [B, 320, T], row c * 10 + f."""

    def __init__(self) -> None:
        super().__init__()
        c = HEAD_CHANNELS
        self.conv1 = nn.Conv2d(1, c, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.layer1 = nn.Sequential(HeadBlock(2), HeadBlock(1))
        self.layer2 = nn.Sequential(HeadBlock(2), HeadBlock(1))
        self.conv2 = nn.Conv2d(c, c, 3, (2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(self.layer2(self.layer1(x)))))
        return x.flatten(1, 2)


def normalised(n_channels: int) -> nn.Sequential:
    """BatchNorm and ReLU, which come before a layer's convolution and not after it."""
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(n_channels), relu=nn.ReLU()))


class Unit(nn.Module):
    """One convolution and the BatchNorm before or after it, by the checkpoint's names."""

    def __init__(self, linear: nn.Conv1d, nonlinear: nn.Sequential, norm_first: bool) -> None:
        super().__init__()
        self.linear = linear
        self.nonlinear = nonlinear
        self.norm_first = norm_first

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.nonlinear(x)) if self.norm_first else self.nonlinear(self.linear(x))


def segment_means(x: Tensor) -> Tensor:
    """[B, C, T] -> the same, each frame replaced by the mean of its segment; the last may be short."""
    n_frames = x.shape[-1]
    means = functional.avg_pool1d(x, SEGMENT_FRAMES, SEGMENT_FRAMES, ceil_mode=True)
    return means.repeat_interleave(SEGMENT_FRAMES, -1)[..., :n_frames]


class MaskedConvolution(nn.Module):
    """A dilated convolution times a context-aware mask: what the whole clip and the segment hold
    decides which channels pass."""

    def __init__(self, arch: Architecture, dilation: int) -> None:
        super().__init__()
        n_in, n_out = arch.bottleneck, arch.growth
        self.linear_local = nn.Conv1d(n_in, n_out, TAPS, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(n_in, n_in // 2, 1)
        self.linear2 = nn.Conv1d(n_in // 2, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        context = x.mean(-1, keepdim=True) + segment_means(x)
        mask = torch.sigmoid(self.linear2(functional.relu(self.linear1(context))))
        return self.linear_local(x) * mask


class DenseLayer(nn.Module):
    """[B, C, T] -> [B, C + growth, T]: what came in, and what the layer makes of it."""

    def __init__(self, arch: Architecture, n_in: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = normalised(n_in)
        self.linear1 = nn.Conv1d(n_in, arch.bottleneck, 1, bias=False)
        self.nonlinear2 = normalised(arch.bottleneck)
        self.cam_layer = MaskedConvolution(arch, dilation)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear1(self.nonlinear1(x))
        return torch.cat((x, self.cam_layer(self.nonlinear2(y))), 1)


class CamPlusPlus(nn.Module):
    """feats [B, T, 80], mean over time removed -> embedding [B, dim], not normalised."""

    def __init__(self, arch: Architecture = Architecture()) -> None:
        super().__init__()
        self.arch = arch
        self.head = Head()
        n = arch.channels
        stem = nn.Conv1d(HEAD_CHANNELS * N_MELS // HEAD_STRIDE, n, TDNN_TAPS, TDNN_STRIDE,
                         padding=TDNN_TAPS // 2, bias=False)  # fmt: skip
        parts: OrderedDict[str, nn.Module] = OrderedDict(tdnn=Unit(stem, normalised(n), norm_first=False))
        for i, (n_layers, dilation) in enumerate(zip(arch.layers, DILATIONS), 1):
            block = OrderedDict((f"tdnnd{j + 1}", DenseLayer(arch, n + j * arch.growth, dilation))
                                for j in range(n_layers))  # fmt: skip
            n += n_layers * arch.growth
            halving = nn.Conv1d(n, n // 2, 1, bias=False)
            parts[f"block{i}"] = nn.Sequential(block)
            parts[f"transit{i}"] = Unit(halving, normalised(n), norm_first=True)
            n //= 2
        parts["out_nonlinear"] = normalised(n)
        # The BatchNorm at the end has neither weight nor bias, and no ReLU follows it.
        last = nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(arch.dim, affine=False)))
        parts["dense"] = Unit(nn.Conv1d(2 * n, arch.dim, 1, bias=False), last, norm_first=False)
        self.xvector = nn.ModuleDict(parts)

    def stages(self, feats: Tensor) -> dict[str, Tensor]:
        """Every stage's output, by the names in STAGES, in that order. A block's is the one after
        the convolution that halves its channels."""
        net = self.xvector
        out = {"head": self.head(feats.transpose(1, 2).unsqueeze(1))}  # [B, 320, T]
        x = out["tdnn"] = net["tdnn"](out["head"])  # [B, 128, (T + 1) / 2]
        for i in range(1, len(DILATIONS) + 1):
            x = out[f"block{i}"] = net[f"transit{i}"](net[f"block{i}"](x))
        x = net["out_nonlinear"](x)
        out["pooled"] = torch.cat((x.mean(-1), x.std(-1)), 1)  # the unbiased deviation
        out["embedding"] = net["dense"](out["pooled"].unsqueeze(-1)).squeeze(-1)
        return out

    def forward(self, feats: Tensor) -> Tensor:
        return self.stages(feats)["embedding"]


def untrained(arch: Architecture, seed: int) -> CamPlusPlus:
    """Random weights of a size that keeps values near one, and BatchNorm statistics unlike the initial
    ones, so that a fault in any of them is seen."""
    rng = torch.Generator().manual_seed(seed)
    model = CamPlusPlus(arch).eval()
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape, generator=rng))
        elif value.ndim > 1:
            value.copy_(torch.randn(value.shape, generator=rng) * (2 / value[0].numel()) ** 0.5)
        elif value.is_floating_point():
            middle = 1.0 if re.search(r"(batchnorm|bn\d|shortcut\.1)\.weight$", name) else 0.0
            value.copy_(middle + 0.2 * torch.randn(value.shape, generator=rng))
    return model


def load(state: Mapping[str, Tensor]) -> CamPlusPlus:
    """The network that a state dict describes, in evaluation mode; ValueError if it is another."""
    model = CamPlusPlus(Architecture.of(state))
    try:
        model.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        raise ValueError(f"not CAM++: {error}") from error
    return model.eval()


def features(samples: np.ndarray) -> Tensor:
    """Samples [n] at 16 kHz in [-1, 1] -> [T, 80] as this network wants them, mean over time removed."""
    return fbank(samples / np.float32(32768), window_type="povey")  # undoes the 16-bit scale, exactly
