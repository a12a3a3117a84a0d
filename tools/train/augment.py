"""Noise, babble, line and masking effects on log-mel features, a whole batch at a time.

Energies of independent sounds add, so mixing in the mel power domain costs next to nothing beside
mixing waves and a filter bank for every crop; what a wave effect alone can do (rooms, mu-law) is in
the degraded variants of the data (see effects.py).
"""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = -15.942385  # natural log of 1.1920929e-07, what digital silence comes out as
DB = 10 / 2.302585093  # dB in one natural-log unit of power


def uniform(shape: tuple[int, ...], low: float, high: float) -> Tensor:
    return torch.rand(shape) * (high - low) + low


def chosen(batch: int, probability: float) -> Tensor:
    """A random subset of the batch, bool [B]."""
    return torch.rand(batch) < probability


def curves(batch: int, bins: int, spread: float) -> Tensor:
    """Random smooth curves over the bins, natural-log units, [B, 1, bins]."""
    x = torch.linspace(0, 1, bins)
    basis = torch.stack([2 * x - 1] + [torch.cos(torch.pi * k * x) for k in (2, 3, 4, 5)])
    weights = torch.randn(batch, len(basis)) * torch.tensor([1.0, 0.6, 0.4, 0.3, 0.3])
    return (spread * weights @ basis)[:, None, :]


def level(log_mel: Tensor) -> Tensor:
    """Mean power of each clip, [B, 1, 1], natural log."""
    return log_mel.exp().mean((1, 2), keepdim=True).log()


def add(log_mel: Tensor, noise: Tensor, snr_db: Tensor) -> Tensor:
    """Mix noise under the clips at the given ratios [B, 1, 1]."""
    return torch.logaddexp(log_mel, noise + level(log_mel) - level(noise) - snr_db / DB)


def stationary(log_mel: Tensor) -> Tensor:
    """Coloured noise: a random spectrum, bin-wise chi-square-like flicker, slow swells."""
    batch, frames, bins = log_mel.shape
    flicker = torch.linspace(0.9, 0.35, bins) * torch.randn(batch, frames, bins)
    knots = torch.randn(batch, 1, 6) * uniform((batch, 1, 1), 0.0, 1.2)
    swell = torch.nn.functional.interpolate(knots, frames, mode="linear", align_corners=True)
    return curves(batch, bins, 2.0) + flicker + swell.transpose(1, 2)


def babble(log_mel: Tensor) -> Tensor:
    """One to three other clips of the batch, summed."""
    batch = len(log_mel)
    total = log_mel.roll(1 + int(torch.randint(batch - 1, ())), 0)
    for _ in range(int(torch.randint(3, ()))):
        other = log_mel.roll(1 + int(torch.randint(batch - 1, ())), 0)
        total = torch.logaddexp(total, other - level(other) + level(total))
    return total


def band_limit(log_mel: Tensor) -> Tensor:
    """Take away the bins above or below a random edge, down to a floor."""
    batch, _, bins = log_mel.shape
    index = torch.arange(bins)
    high = torch.randint(52, bins + 1, (batch, 1))
    low = torch.randint(0, 10, (batch, 1)) * (torch.rand(batch, 1) < 0.5)
    outside = (index >= high) | (index < low)
    return log_mel - outside[:, None, :] * uniform((batch, 1, 1), 4.0, 12.0)


def narrow(log_mel: Tensor) -> Tensor:
    """Speech that was once sampled at 8 kHz: nothing above 4 kHz but a quiet floor."""
    batch, frames, bins = log_mel.shape
    edge = torch.randint(57, 62, (batch, 1, 1))  # 3.5 to 4.1 kHz
    floor = uniform((batch, 1, 1), 1.0, 9.0) + 0.4 * torch.randn(batch, frames, bins)
    quiet = torch.logaddexp(log_mel - uniform((batch, 1, 1), 5.0, 12.0), floor)
    return torch.where(torch.arange(bins) >= edge, quiet, log_mel)


def silence(log_mel: Tensor) -> Tensor:
    """Digital silence: up to three gaps, or everything below a gate. Never heard in training, it
    makes any two voices that have it look the same."""
    batch, frames, _ = log_mel.shape
    index = torch.arange(frames)
    gaps = torch.zeros(batch, frames, dtype=torch.bool)
    for _ in range(3):
        width = torch.randint(0, 26, (batch, 1))
        start = (torch.rand(batch, 1) * (frames - width)).long()
        gaps |= (index >= start) & (index < start + width)
    rank = log_mel.mean(2).argsort(1).argsort(1) / frames
    gated = rank < uniform((batch, 1), 0.0, 0.3)
    hit = torch.where(torch.rand(batch, 1) < 0.5, gaps, gated)
    return log_mel.masked_fill(hit[:, :, None], FLOOR)


def mask(log_mel: Tensor) -> Tensor:
    """Blank one band and one stretch of time to the clip's mean (SpecAugment)."""
    batch, frames, bins = log_mel.shape
    fill = log_mel.mean(1, keepdim=True)
    for size, axis, widest in ((bins, 2, 10), (frames, 1, 20)):
        width = torch.randint(0, widest + 1, (batch, 1))
        start = (torch.rand(batch, 1) * (size - width)).long()
        index = torch.arange(size)
        hit = (index >= start) & (index < start + width)
        hit = hit[:, None, :] if axis == 2 else hit[:, :, None]
        log_mel = torch.where(hit, fill, log_mel)
    return log_mel


def augment(log_mel: Tensor) -> Tensor:
    """A random chain of the above for every clip, [B, T, 80] -> the same."""
    batch, _, bins = log_mel.shape
    out = log_mel
    for probability, change in (
        (0.3, lambda x: x + curves(batch, bins, 0.8)),
        (0.12, lambda x: add(x, babble(x), uniform((batch, 1, 1), 5, 22))),
        (0.25, lambda x: add(x, stationary(x), uniform((batch, 1, 1), 3, 30))),
        (0.1, band_limit),
        (0.2, narrow),
        (0.2, lambda x: add(x, stationary(x), uniform((batch, 1, 1), 25, 50))),
        (0.1, mask),
        (0.2, silence),
    ):
        out = torch.where(chosen(batch, probability)[:, None, None], change(out), out)
    return out
