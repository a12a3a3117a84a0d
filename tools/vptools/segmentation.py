"""The segmentation network of core/MODEL.md in PyTorch: the executable twin of core/segmentation/.

A state dict of it has exactly the names of pyannote's `pytorch_model.bin`, so published weights
load with `strict=True`. Layout letters: N windows, T time, C channel, K class.
"""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.nn import functional

RATE_HZ = 16000
WINDOW_SAMPLES = 160000  # 10 s
SINC_TAPS, SINC_STRIDE = 251, 10
KERNEL = 5  # of the two other convolutions
POOL = 3
N_SPEAKERS, N_AT_ONCE, N_CLASSES = 3, 2, 7  # {}, {0}, {1}, {2}, {0,1}, {0,2}, {1,2}
N_LINEAR = 2
SLOPE = 0.01  # of the leaky ReLUs
METADATA = {"num_speakers": "3", "powerset_max_classes": "2", "num_classes": "7",
            "sample_rate": "16000", "window_size": "160000"}
HOP = RATE_HZ  # from window to window, as the engine has them
# Error over largest value: float32 in PyTorch and ONNX Runtime is up to 9e-5 from float64 (their sinc
# filters are made in float32), the engine 1e-5. Margin from which the decision must be equal.
BAR, MARGIN = 1e-4, 1e-4
STAGES = ("sinc", "conv1", "conv2", "lstm", "linear", "log_probs")


@dataclass(frozen=True)
class Architecture:
    """Everything that decides the shapes."""

    n_filters: int = 80
    n_channels: int = 60
    hidden: int = 128
    n_layers: int = 4
    n_linear: int = 128

    @staticmethod
    def of(state: Mapping[str, Tensor]) -> "Architecture":
        """Reads the architecture off the names and shapes of a state dict."""
        low = "sincnet.conv1d.0.filterbank.low_hz_"
        needed = (low, "sincnet.conv1d.1.weight", "lstm.weight_hh_l0", "linear.0.weight")
        for name in needed:
            if name not in state:
                raise ValueError(f"the checkpoint has no {name}")
        layers = {int(m[1]) for m in (re.fullmatch(r"lstm\.weight_hh_l(\d+)", k) for k in state) if m}
        return Architecture(2 * state[low].shape[0], state["sincnet.conv1d.1.weight"].shape[0],
                            state["lstm.weight_hh_l0"].shape[1], max(layers) + 1,
                            state["linear.0.weight"].shape[0])


def constants() -> tuple[Tensor, Tensor]:
    """The left half of a Hamming window, and 2 pi times the moments of the left taps, in float64."""
    left = torch.arange(SINC_TAPS // 2, dtype=torch.float64)
    window = 0.54 - 0.46 * torch.cos(2 * math.pi * left / (SINC_TAPS - 1))
    return window, (2 * math.pi * (left - SINC_TAPS // 2) / RATE_HZ)[None]


class SincFilters(nn.Module):
    """Band-pass filters of 251 taps, each given by two frequencies; even ones, then odd ones."""

    def __init__(self, n_filters: int) -> None:
        super().__init__()
        self.low_hz_ = nn.Parameter(torch.zeros(n_filters // 2, 1))
        self.band_hz_ = nn.Parameter(torch.zeros(n_filters // 2, 1))
        window, n = constants()
        self.register_buffer("window_", window.float())
        self.register_buffer("n_", n.float())

    def taps(self) -> Tensor:
        """[n_filters, 1, 251]"""
        low = 50 + self.low_hz_.abs()
        high = torch.clamp(low + 50 + self.band_hz_.abs(), 50, RATE_HZ / 2)
        width = 2 * (high - low)
        a, b = low @ self.n_, high @ self.n_
        even = (torch.sin(b) - torch.sin(a)) / (self.n_ / 2) * self.window_
        odd = (torch.cos(a) - torch.cos(b)) / (self.n_ / 2) * self.window_
        even = torch.cat([even, width, even.flip(1)], 1) / width
        odd = torch.cat([odd, torch.zeros_like(width), -odd.flip(1)], 1) / width
        return torch.cat([even, odd])[:, None]


class SincConv(nn.Module):
    def __init__(self, n_filters: int) -> None:
        super().__init__()
        self.filterbank = SincFilters(n_filters)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv1d(x, self.filterbank.taps(), stride=SINC_STRIDE)


class SincNet(nn.Module):
    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        n = arch.n_channels
        self.wav_norm1d = nn.InstanceNorm1d(1, affine=True)
        self.conv1d = nn.ModuleList([SincConv(arch.n_filters), nn.Conv1d(arch.n_filters, n, KERNEL),
                                     nn.Conv1d(n, n, KERNEL)])
        self.pool1d = nn.ModuleList([nn.MaxPool1d(POOL, stride=POOL) for _ in range(3)])
        self.norm1d = nn.ModuleList([nn.InstanceNorm1d(c, affine=True) for c in (arch.n_filters, n, n)])

    def stages(self, x: Tensor) -> list[Tensor]:
        """x [N, 1, samples] -> after each of the three rounds, [N, C, T]"""
        x = self.wav_norm1d(x)
        found = []
        for i, (conv, pool, norm) in enumerate(zip(self.conv1d, self.pool1d, self.norm1d)):
            x = conv(x)
            if i == 0:
                x = x.abs()
            x = functional.leaky_relu(norm(pool(x)), SLOPE)
            found.append(x)
        return found


class Segmentation(nn.Module):
    def __init__(self, arch: Architecture = Architecture()) -> None:
        super().__init__()
        self.arch = arch
        self.sincnet = SincNet(arch)
        self.lstm = nn.LSTM(arch.n_channels, arch.hidden, arch.n_layers, batch_first=True,
                            bidirectional=True)
        self.linear = nn.ModuleList([nn.Linear(2 * arch.hidden, arch.n_linear),
                                     nn.Linear(arch.n_linear, arch.n_linear)])
        self.classifier = nn.Linear(arch.n_linear, N_CLASSES)

    def stages(self, x: Tensor) -> dict[str, Tensor]:
        """x [N, 1, samples] -> every stage by name, [N, T, C]"""
        found = dict(zip(STAGES, (y.transpose(1, 2) for y in self.sincnet.stages(x))))
        y = found["conv2"]
        y, _ = self.lstm(y)
        found["lstm"] = y
        for linear in self.linear:
            y = functional.leaky_relu(linear(y), SLOPE)
        found["linear"] = y
        found["log_probs"] = functional.log_softmax(self.classifier(y), -1)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """[N, 1, samples] -> [N, T, 7]"""
        return self.stages(x)["log_probs"]


def in_double(model: Segmentation) -> Segmentation:
    """The same network in float64, the two constants of its filters too."""
    exact = Segmentation(model.arch).double()
    exact.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
    filters = exact.sincnet.conv1d[0].filterbank
    filters.window_, filters.n_ = constants()
    return exact.eval()


def n_frames(n_samples: int) -> int:
    """T for so many samples: 589 for 160000."""
    n = ((n_samples - SINC_TAPS) // SINC_STRIDE + 1) // POOL
    n = (n - KERNEL + 1) // POOL
    return (n - KERNEL + 1) // POOL


def load(state: Mapping[str, Tensor]) -> Segmentation:
    """The network of a state dict, every tensor present and consumed. Raises ValueError,
    RuntimeError."""
    model = Segmentation(Architecture.of(state))
    filters = model.sincnet.conv1d[0].filterbank
    buffers = {f"sincnet.conv1d.0.filterbank.{n}": b for n, b in filters.named_buffers()}
    for name, expected in buffers.items():  # they are constants: another value is another network
        found = state.get(name, expected)
        if found.shape != expected.shape or not torch.allclose(found.float(), expected, atol=1e-6):
            raise ValueError(f"{name} is not that of 251 taps at 16 kHz")
    model.load_state_dict({**buffers, **state})
    return model.eval()


def tensors(model: Segmentation) -> dict[str, Tensor]:
    """The parameters by their names, without the two buffers, which are constants."""
    return {k: v.detach() for k, v in model.named_parameters()}


@torch.no_grad()
def untrained(arch: Architecture, seed: int) -> Segmentation:
    """Random weights on which errors show: no scale is 1, no bias 0, signs of both kinds, and
    classes that come and go."""
    g = torch.Generator().manual_seed(seed)
    model = Segmentation(arch).eval()

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(like.shape, generator=g)

    for name, p in model.named_parameters():
        if name.startswith("lstm."):
            bound = 2.2 / math.sqrt(arch.hidden if "weight_hh" in name else p.shape[-1])
            p.copy_(uniform(p, -bound, bound) if "weight" in name else uniform(p, -0.3, 0.3))
        elif "norm" in name:
            p.copy_(uniform(p, 0.6, 1.4) if name.endswith("weight") else uniform(p, -0.3, 0.3))
        elif p.dim() > 1 and "filterbank" not in name:
            p.copy_(torch.randn(p.shape, generator=g) * (2 / p[0].numel()) ** 0.5)
        elif "filterbank" not in name:
            p.copy_(uniform(p, -0.2, 0.2))
    filters = model.sincnet.conv1d[0].filterbank
    mel = torch.linspace(2595 * math.log10(1 + 30 / 700), 2595 * math.log10(1 + 7900 / 700),
                         arch.n_filters // 2 + 1)
    hz = 700 * (10 ** (mel / 2595) - 1)
    sign = torch.where(torch.rand(arch.n_filters // 2, generator=g) < 0.3, -1.0, 1.0)
    filters.low_hz_.copy_((hz[:-1] * sign)[:, None])
    filters.band_hz_.copy_((uniform(hz[:-1], 0.7, 1.5) * hz.diff() * sign.flip(0))[:, None])
    # Classes that come and go: scores are centred and spread on noise that is cut into pieces.
    noise = torch.randn(4, 1, 2 * RATE_HZ, generator=g)
    noise *= (torch.rand(4, 1, 40, generator=g) < 0.5).float().repeat_interleave(RATE_HZ // 20, 2) + 0.01
    scores = model.stages(noise)["linear"].flatten(0, 1) @ model.classifier.weight.T
    model.classifier.weight.mul_(2 / scores.std(0)[:, None])
    model.classifier.bias.copy_(-2 * scores.mean(0) / scores.std(0))
    return model


# ---- judging the engine ---------------------------------------------------------------------

Windows = Callable[[np.ndarray], np.ndarray]  # [N, 160000] -> [N, 589, 7]


@dataclass(frozen=True)
class Verdict:
    """The engine against a reference on the windows of a recording."""

    n_windows: int
    error: float  # largest, over the largest value
    n_decided: int  # frames whose best class leads by the margin
    n_other: int  # of them, that the engine decides otherwise
    speech: float  # share of frames with anybody, by the engine
    overlap: float  # with two

    @property
    def fits(self) -> bool:
        return self.error <= BAR and self.n_other == 0


def torch_windows(model: Segmentation) -> Windows:
    exact = in_double(model)
    torch.set_num_threads(1)  # small steps: threads would wait for each other

    @torch.no_grad()
    def run(windows: np.ndarray) -> np.ndarray:
        return np.concatenate([exact(torch.from_numpy(w[None, None].astype(np.float64))).numpy()
                               for w in windows])

    return run


def onnx_windows(path: Path) -> Windows:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda windows: np.concatenate(
        [session.run(None, {name: w[None, None].astype(np.float32)})[0] for w in windows])


def noise(seconds: int) -> np.ndarray:
    """Coloured noise that comes and goes."""
    rng = np.random.default_rng(2)
    n = seconds * RATE_HZ
    gate = np.repeat(rng.random(2 * seconds) < 0.6, RATE_HZ // 2)
    x = np.convolve(rng.standard_normal(n), np.hanning(9), "same") * (gate + 0.01)
    return (x / np.abs(x).max() / 2).astype(np.float32)


def judge(reference: Windows, written: Path, recording: Path, program: Path) -> Verdict:
    """Our engine with the file against the reference, window by window. 16 kHz mono. Raises
    RuntimeError with what the engine said."""
    samples, rate = soundfile.read(recording, dtype="float32")
    if rate != RATE_HZ or samples.ndim != 1:
        raise RuntimeError(f"{recording}: 16 kHz mono is needed here")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "log_probs.npy"
        done = subprocess.run([program, "segment", "--segmentation", written, "--max-duration", "7200",
                               "--out", out, recording], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        found = np.load(out).astype(np.float64)
    padded = np.pad(samples, (0, (len(found) - 1) * HOP + WINDOW_SAMPLES - len(samples)))
    windows = np.stack([padded[w * HOP: w * HOP + WINDOW_SAMPLES] for w in range(len(found))])
    expected = reference(windows).astype(np.float64)
    ranked = np.sort(expected, -1)
    decided = ranked[..., -1] - ranked[..., -2] > MARGIN
    classes = found.argmax(-1)
    return Verdict(len(found), float(np.abs(found - expected).max() / np.abs(expected).max()),
                   int(decided.sum()), int((classes != expected.argmax(-1))[decided].sum()),
                   float((classes > 0).mean()), float((classes > N_SPEAKERS).mean()))
