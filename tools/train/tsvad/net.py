"""Target-speaker voice activity detection (TS-VAD) in PyTorch: does voice k speak, every 20 ms?

One frame of the embedding network's trunk (layer4 of core/MODEL.md) is 80 ms, STEPS of 20 ms. Each
voice goes through the network by itself, with 28 values a trunk frame:

   0 ..  3  cosines of the voice's embedding with those about the frame, one for each of SCALES
   4 ..  7  for the same scales, the largest cosine with another voice, at least NO_OTHER
   8 .. 11  the speech detector's logits / 4, one for each 20 ms
  12 .. 27  relu(proj(trunk frame)), the same for all voices

  proj  2560 -> 16
  inp   28 -> 48, 3 frames; ReLU
  mid   48 -> 48, 5 frames, DILATIONS apart, four times: x += ReLU(mid(x))
  out   48 -> 4: logits of the frame's four 20 ms
Before the beginning and after the end every layer reads zeros. Letters: B batch, K voices, T frames.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

SCALES = (1, 3, 6, 9)  # trunk frames to either side of the one that an embedding is about
STEPS = 4
N_TRUNK = 2560
N_PROJ = 16
N_IN = 2 * len(SCALES) + STEPS + N_PROJ
N_CHANNELS = 48
DILATIONS = (1, 2, 4, 2)
NO_OTHER = -0.3
DROPOUT = 0.2  # of the trunk, in training


class TsVad(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(N_TRUNK, N_PROJ)
        self.inp = nn.Conv1d(N_IN, N_CHANNELS, 3, padding=1)
        self.mid = nn.ModuleList(
            nn.Conv1d(N_CHANNELS, N_CHANNELS, 5, padding=2 * d, dilation=d) for d in DILATIONS
        )
        self.out = nn.Conv1d(N_CHANNELS, STEPS, 1)

    def inputs(self, cosines: Tensor, rivals: Tensor, vad: Tensor, trunk: Tensor) -> Tensor:
        """What goes into `inp`, [B, K, T, 28]; the arguments are forward's."""
        heard = functional.dropout(trunk, DROPOUT, self.training)
        shared = torch.cat([vad, functional.relu(self.proj(heard))], -1)
        shared = shared[:, None].expand(-1, cosines.shape[1], -1, -1)
        return torch.cat([cosines, rivals, shared], -1)

    def forward(self, cosines: Tensor, rivals: Tensor, vad: Tensor, trunk: Tensor) -> Tensor:
        """cosines, rivals [B, K, T, 4], vad [B, T, 4], trunk [B, T, 2560] -> logits [B, K, T, 4]"""
        x = self.inputs(cosines, rivals, vad, trunk)
        n_batch, n_voices = x.shape[:2]
        x = x.flatten(0, 1).transpose(1, 2)  # [B K, 28, T]
        x = functional.relu(self.inp(x))
        for layer in self.mid:
            x = x + functional.relu(layer(x))
        return self.out(x).transpose(1, 2).unflatten(0, (n_batch, n_voices))


def rivals(cosines: Tensor, present: Tensor | None = None) -> Tensor:
    """The largest cosine with any other voice: [B, K, T, 4] -> the same shape. `present` [B, K]
    says which voices there are; all of them if it is left out."""
    if present is not None:
        cosines = cosines.masked_fill(~present[:, :, None, None], NO_OTHER)
    if cosines.shape[1] == 1:
        return torch.full_like(cosines, NO_OTHER)
    best, second = cosines.topk(2, 1).values.split(1, 1)
    return torch.where(cosines == best, second, best).clamp_min(NO_OTHER)


@torch.no_grad()
def logits(model: TsVad, embeddings: Tensor, voices: Tensor, vad: Tensor, trunk: Tensor) -> Tensor:
    """One recording: unit embeddings [T, 4, 256] and voices [K, 256], vad [T, 4], trunk [T, 2560]
    -> [K, 4 T], one for each 20 ms."""
    cosines = torch.einsum("tsd,kd->kts", embeddings, voices)[None]
    return model(cosines, rivals(cosines), vad[None], trunk[None])[0].flatten(1)


def load(tensors: Mapping[str, Tensor]) -> TsVad:
    """The network of a file's tensors, in float32; refuses missing, surplus and misshapen ones."""
    model = TsVad()
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.eval()
