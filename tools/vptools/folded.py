"""Weights of two model files side by side, whatever their format: BatchNorm folded in both."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from vptools.resnet import ResNet

RELATIVE = 1e-4  # of a tensor's largest value: folding in float32 on either side


@torch.no_grad()
def folded(model: ResNet) -> dict[str, np.ndarray]:
    """Every convolution's weight and bias with its BatchNorm folded in, and the last layer's."""
    out = {}
    modules = dict(model.double().named_modules())
    for name, conv in modules.items():
        if not isinstance(conv, nn.Conv2d):
            continue
        bn = modules[name[:-1] + "1" if "shortcut" in name else name.replace("conv", "bn")]
        scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
        out[f"{name} weight"] = (conv.weight * scale[:, None, None, None]).numpy()
        out[f"{name} bias"] = (bn.bias - bn.running_mean * scale).numpy()
    out["seg_1 weight"] = model.seg_1.weight.numpy()
    out["seg_1 bias"] = model.seg_1.bias.numpy()
    return out


def _close(x: np.ndarray, y: np.ndarray) -> bool:
    return bool(np.abs(x - y).max() <= RELATIVE * np.abs(y).max())


def _reordered(weight: np.ndarray, model: ResNet) -> np.ndarray:
    """The last layer's columns from frequency-major to channel-major."""
    n_freq = model.arch.n_mels // 8
    return weight.reshape(len(weight), 2, n_freq, -1).transpose(0, 1, 3, 2).reshape(weight.shape)


def differing(a: ResNet, b: ResNet) -> list[str]:
    """What differs between the weights of a and b, a sentence each, in the network's order."""
    found = []
    left, right = folded(a), folded(b)
    if a.arch == b.arch and _close(_reordered(left["seg_1 weight"], a), right["seg_1 weight"]):
        return ["seg_1 weight: flatten order: its columns run frequency-major, not channel-major"]
    for name, y in right.items():
        x = left.get(name)
        if x is None or x.shape != y.shape:
            found.append(f"{name}: {'missing' if x is None else x.shape}, not {y.shape}")
        elif not _close(x, y):
            lost = " is zero: lost" if not x.any() else f" differs by {np.abs(x - y).max():.1e}"
            found.append(f"{name}{lost}")
    return found + [f"{name}: surplus" for name in left if name not in right]
