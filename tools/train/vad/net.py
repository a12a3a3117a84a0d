"""The speech detector in PyTorch; core/speech/vad.c computes the same, frame by frame.

features [B, T, 80]      log-mel, 10 ms a frame, mean not removed
  conv  80 -> 48, 4 frames, every 2nd    [B, S, 48]  S steps of 20 ms; ReLU
  gru1  48 -> 64                         [B, S, 64]
  gru2  64 -> 64                         [B, S, 64]
  head  64 -> 1                          [B, S]      logit of speech DELAY_STEPS before
The detector hears DELAY_STEPS ahead before it decides. Before the beginning and after the end the
first and the last frame are repeated, so that every frame gets an answer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

N_MELS = 80
N_CONV = 48
N_HIDDEN = 64
KERNEL_FRAMES = 4
STEP_FRAMES = 2
DELAY_STEPS = 12  # 240 ms


class Vad(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(N_MELS))
        self.register_buffer("scale", torch.ones(N_MELS))
        self.conv = nn.Conv1d(N_MELS, N_CONV, KERNEL_FRAMES, stride=STEP_FRAMES)
        self.gru1 = nn.GRU(N_CONV, N_HIDDEN, batch_first=True)
        self.gru2 = nn.GRU(N_HIDDEN, N_HIDDEN, batch_first=True)
        self.head = nn.Linear(N_HIDDEN, 1)

    def forward(self, features: Tensor) -> Tensor:
        """[B, T, 80] -> logits [B, ceil(T / 2)]"""
        before = features[:, :1].expand(-1, KERNEL_FRAMES - STEP_FRAMES, -1)
        after = features[:, -1:].expand(-1, features.shape[1] % 2 + STEP_FRAMES * DELAY_STEPS, -1)
        padded = (torch.cat([before, features, after], 1) - self.mean) * self.scale
        x = self.conv(padded.transpose(1, 2)).relu().transpose(1, 2)
        x = self.gru2(self.gru1(x)[0])[0]
        return self.head(x)[:, DELAY_STEPS:, 0]


def folded(model: Vad) -> dict[str, Tensor]:
    """The parameters with mean and scale taken into the convolution, as the engine reads them."""
    out = {name: value.detach().clone() for name, value in model.named_parameters()}
    weight = out["conv.weight"] * model.scale[None, :, None]
    out["conv.bias"] = out["conv.bias"] - (weight * model.mean[None, :, None]).sum((1, 2))
    out["conv.weight"] = weight
    return out


@torch.no_grad()
def unfold(tensors: dict[str, Tensor], model: Vad) -> None:
    """Give the model folded parameters, whatever its mean and scale are: the inverse of folded."""
    parameters = dict(model.named_parameters())
    for name, value in tensors.items():
        parameters[name].copy_(value.float())
    model.conv.bias += (model.conv.weight * model.mean[None, :, None]).sum((1, 2))
    model.conv.weight /= model.scale[None, :, None]


def load(tensors: dict[str, Tensor]) -> Vad:
    """The network of folded parameters."""
    model = Vad()
    model.load_state_dict({**{k: v.float() for k, v in tensors.items()}, "mean": model.mean, "scale": model.scale})
    return model.eval()
