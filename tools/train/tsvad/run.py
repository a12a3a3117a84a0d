"""Train the TS-VAD network on prepared conversations, and write it as a file for the engine.

Stop it (Ctrl-C, SIGTERM, a power cut) and start it again as often as you like: it goes on from the
checkpoint in its folder. `tsvad.safetensors` there is the network as it stands.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.tsvad.export import export
from train.tsvad.net import TsVad, rivals
from train.vad.run import save

BATCH = 16
CROP_FRAMES = 190  # 15 s
RATE = 2e-3
WEIGHT_DECAY = 2e-2
WARM_UP_STEPS = 50
SAVE_EVERY_S = 60.0
LEAST_FRAMES = 6  # of a talker, 0.5 s: less makes no voice


class Batch(NamedTuple):
    """Crops: B conversations, K talkers."""

    cosines: Tensor  # [B, K, T, 4]
    present: Tensor  # [B, K] bool, the talkers that have a voice
    vad: Tensor  # [B, T, 4]
    trunk: Tensor  # [B, T, 2560]
    labels: Tensor  # [B, K, T, 4], 0 or 1


class Conversations:
    """What `tsvad-prepare` wrote."""

    def __init__(self, folder: Path) -> None:
        names = ("trunk", "embeddings", "vad", "labels")
        arrays = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in names)
        self.trunk, self.embeddings, self.vad, self.labels = arrays
        self.model_digest = (folder / "model_digest.txt").read_text().strip()

    def crop(self, rng: np.random.Generator) -> Batch:
        """A piece of one conversation, without the dimension B. Voices come from all of it."""
        i = int(rng.integers(len(self.labels)))
        embeddings, labels = floats(self.embeddings[i]), self.labels[i]
        voices = [voice(embeddings.numpy(), labels, talker, rng) for talker in range(len(labels))]
        at = int(rng.integers(max(1, len(embeddings) - CROP_FRAMES)))
        part = slice(at, at + CROP_FRAMES)
        cosines = (embeddings[part] @ torch.from_numpy(np.stack(voices)).T).permute(2, 0, 1)
        present = torch.tensor([bool(x.any()) for x in voices])
        return Batch(cosines, present, floats(self.vad[i, part]), floats(self.trunk[i, part]),
                     floats(labels[:, part]))  # fmt: skip

    def batch(self, rng: np.random.Generator) -> Batch:
        return Batch(*(torch.stack(x) for x in zip(*(self.crop(rng) for _ in range(BATCH)))))


def floats(stored: np.ndarray) -> Tensor:
    """In float32. PyTorch converts float16 in a twentieth of the time that NumPy takes."""
    return torch.from_numpy(np.array(stored)).float()


def voice(embeddings: np.ndarray, labels: np.ndarray, talker: int, rng: np.random.Generator) -> np.ndarray:
    """Embeddings [T, 4, 256], labels [K, T, 4] -> the talker's voice [256] as clustering might give
    it: of a part of what the talker says, with windows of others mixed in. Zeros if there is too
    little."""
    spoken = labels.mean(2)
    others = spoken.sum(0) - spoken[talker]
    frames = np.flatnonzero((spoken[talker] > 0.5) & (others < 0.25))
    if len(frames) < LEAST_FRAMES:
        frames = np.flatnonzero(spoken[talker] > 0.4)
    if len(frames) < LEAST_FRAMES:
        return np.zeros(embeddings.shape[2], np.float32)
    windows = embeddings[:, 2 if rng.random() < 0.4 else 3]  # of about 1 s, or 1.5 s
    if rng.random() < 0.7:
        first, n = int(rng.integers(len(frames))), int(rng.integers(LEAST_FRAMES, len(frames) + 1))
        frames = np.roll(frames, -first)[:n]
    total = windows[frames].sum(0)
    if rng.random() < 0.5:
        n_wrong = max(1, int(len(frames) * rng.uniform(0.05, 0.3)))
        total += windows[rng.integers(len(windows), size=n_wrong)].sum(0)
    return total / np.linalg.norm(total)


def loss(model: TsVad, batch: Batch) -> Tensor:
    """Cross entropy of a talker's 20 ms, the mean over the talkers that have a voice."""
    logits = model(batch.cosines, rivals(batch.cosines, batch.present), batch.vad, batch.trunk)
    return functional.binary_cross_entropy_with_logits(logits[batch.present], batch.labels[batch.present])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="conversations (tsvad-prepare)")
    parser.add_argument("out", type=Path, help="folder of the run")
    parser.add_argument("--minutes", type=float, default=16.0, help="of training (default %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    data, model = Conversations(args.data), TsVad()
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint, step, before_s = args.out / "checkpoint.pt", 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, before_s = state["step"], state["trained_s"]
        if state["model_digest"] != data.model_digest:
            raise SystemExit(f"{checkpoint} was trained on another embedding model: take another folder")
    rng = np.random.default_rng([args.seed, step])
    began = saved = time.time()
    mean_loss, done = 0.0, before_s / (60 * args.minutes)
    while done < 1:
        for group in optimizer.param_groups:  # a short start, then down in a line
            group["lr"] = RATE * min(1, (step + 1) / WARM_UP_STEPS) * (1 - done)
        value = loss(model, data.batch(rng))
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        mean_loss = 0.98 * mean_loss + 0.02 * value.item() if mean_loss else value.item()
        trained_s = before_s + time.time() - began
        done = trained_s / (60 * args.minutes)
        if done >= 1 or time.time() - saved > SAVE_EVERY_S:
            left = max(0.0, args.minutes - trained_s / 60)
            print(f"step {step}: loss {mean_loss:.4f}, {left:.1f} min left", flush=True)
            save(checkpoint, model=model.state_dict(), optimizer=optimizer.state_dict(), step=step,
                 trained_s=trained_s, model_digest=data.model_digest)  # fmt: skip
            export(model.state_dict(), data.model_digest, args.out / "tsvad.safetensors")
            saved = time.time()
    print(f"{args.out / 'tsvad.safetensors'}: {(args.out / 'tsvad.safetensors').stat().st_size} bytes")
