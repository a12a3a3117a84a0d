"""Train the speech detector on simulated conversations, and write it as a file for the engine.

Stop it (Ctrl-C, SIGTERM, a power cut) and start it again as often as you like: it goes on from the
checkpoint in its folder. `vad.safetensors` there is the detector as it stands.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from train.augment import DB, FLOOR, curves, uniform
from train.vad.net import N_MELS, STEP_FRAMES, Vad, folded, unfold

BATCH = 64
CROP_FRAMES = 600
EVALUATE_EVERY_S = 120.0
AVERAGE = 0.995  # of the weights, a step
METADATA = {
    "name": "voiceprintd-vad",
    "licence": "CC-BY-4.0",
    "training_data": "see models/README.md",
}


class Conversations:
    """What `vad-prepare` wrote."""

    def __init__(self, folder: Path) -> None:
        self.features = np.load(folder / "features.npy", mmap_mode="r")
        self.labels = np.load(folder / "labels.npy", mmap_mode="r")

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Crops [BATCH, CROP_FRAMES, 80] and the labels of their steps."""
        n, n_frames = self.labels.shape
        x = np.empty((BATCH, CROP_FRAMES, N_MELS), np.float32)
        y = np.empty((BATCH, CROP_FRAMES), np.float32)
        for i in range(BATCH):
            k, at = int(rng.integers(n)), int(rng.integers(n_frames - CROP_FRAMES + 1))
            x[i], y[i] = self.features[k, at : at + CROP_FRAMES], self.labels[k, at : at + CROP_FRAMES]
        return torch.from_numpy(x), steps(torch.from_numpy(y))


def steps(labels: Tensor) -> Tensor:
    """Labels of frames [B, T], T even -> of steps, their mean."""
    return labels.unflatten(1, (-1, STEP_FRAMES)).mean(2)


def vary(x: Tensor) -> Tensor:
    """Another microphone and another level, down to the floor of the features."""
    shift = uniform((len(x), 1, 1), -8, 8) / DB
    return (x + shift + curves(len(x), N_MELS, 0.7)).clamp_min(FLOOR)


@torch.no_grad()
def evaluate(model: Vad, held: Conversations) -> tuple[float, float]:
    """(missed, false alarms) over the speech of the held-out conversations, at 0.5."""
    missed = false = total = 0.0
    for i in range(0, len(held.labels), 20):
        said = model(torch.from_numpy(held.features[i : i + 20].astype(np.float32))) > 0
        true = steps(torch.from_numpy(held.labels[i : i + 20].astype(np.float32))) > 0.5
        missed += float((true & ~said).sum())
        false += float((~true & said).sum())
        total += float(true.sum())
    return missed / total, false / total


def export(model: Vad, path: Path) -> None:
    """float16, atomically."""
    from safetensors.torch import save_file

    partial = path.with_suffix(".partial")
    save_file({k: v.half().contiguous() for k, v in folded(model).items()}, str(partial), METADATA)
    partial.chmod(0o644)
    os.replace(partial, path)


def save(path: Path, **state: object) -> None:
    torch.save(state, path.with_suffix(".partial"))
    os.replace(path.with_suffix(".partial"), path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("train", type=Path, help="conversations to train on (vad-prepare)")
    parser.add_argument("held", type=Path, help="conversations to measure on (vad-prepare --held-out)")
    parser.add_argument("out", type=Path, help="folder of the run")
    parser.add_argument("--steps", type=int, default=2000, help="batches (default 2000)")
    parser.add_argument("--rate", type=float, default=4e-3, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--begin", type=Path, metavar="FILE",
                        help="weights to go on from, such as models/vad.safetensors")  # fmt: skip


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    data, held = Conversations(args.train), Conversations(args.held)
    model, average = Vad(), Vad()
    sample = torch.from_numpy(data.features[::40, ::10].reshape(-1, N_MELS).astype(np.float32))
    model.mean.copy_(sample.mean(0))
    model.scale.copy_(1 / sample.std(0))
    if args.begin is not None:
        unfold(load_file(args.begin), model)
    average.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), args.rate, weight_decay=0.01)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint, step = args.out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    rng = np.random.default_rng([args.seed, step])
    began, first, evaluated = time.time(), step, time.time()
    while step < args.steps:
        for group in optimizer.param_groups:  # a short start, then down in a line
            group["lr"] = args.rate * min(step / 100 + 0.01, 1 - step / args.steps)
        x, y = data.batch(rng)
        loss = nn.functional.binary_cross_entropy_with_logits(model(vary(x)), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        keep = min(AVERAGE, step / (step + 10))
        with torch.no_grad():
            for a, b in zip(average.parameters(), model.parameters()):
                a.lerp_(b, 1 - keep)
        if step == args.steps or time.time() - evaluated > EVALUATE_EVERY_S:
            missed, false = evaluate(average, held)
            left = (time.time() - began) / (step - first) * (args.steps - step)
            print(f"step {step}/{args.steps}: loss {loss.item():.3f}, held out {100 * missed:.1f} % missed, "
                  f"{100 * false:.1f} % false, {left / 60:.0f} min left", flush=True)  # fmt: skip
            save(checkpoint, model=model.state_dict(), average=average.state_dict(),
                 optimizer=optimizer.state_dict(), step=step)  # fmt: skip
            export(average, args.out / "vad.safetensors")
            evaluated = time.time()
    print(f"{args.out / 'vad.safetensors'}: {(args.out / 'vad.safetensors').stat().st_size} bytes")
