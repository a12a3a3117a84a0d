"""Train the student on prepared speech; stops, pauses, and goes on where it was.

The checkpoint holds everything and is replaced atomically, so the run may be killed at any time: it
goes on from the last checkpoint when started again with the same folder. While a file `pause` lies in
that folder it waits, after a checkpoint. CUDA when there is one, else the CPU.
"""

from __future__ import annotations

import argparse
import copy
import csv
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

from train import begin, export, muon
from train.augment import augment
from train.crops import Crops
from train.losses import Distillation
from train.precision import fast_bfloat16
from train.schedule import LOSSES, PHASES, Clock, Phase, learning_rate, phase_at
from train.student import Student
from train.trials import TrialSet, embed

AVERAGE_STEPS = 150  # time constant of the weight average, once the run is old enough for it
MAX_SPEEDS = 8  # different speeds among the variants
REPORT_S = 60.0
PAUSE_POLL_S = 2.0
COLUMNS = ("utc", "step", "progress", "corpus", "eer_percent", "min_dcf", "teacher_cosine")


class Run:
    """A training run: network, weight average, losses, optimisers and clock."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        args.run.mkdir(parents=True, exist_ok=True)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(args.seed)
        self.crops = Crops(args.data, args.mean_share, args.seed)
        self.bfloat16 = fast_bfloat16(self.device)
        layout = torch.channels_last if self.bfloat16 else torch.contiguous_format  # the faster of the two
        self.model = Student().to(self.device, memory_format=layout)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        capacity = MAX_SPEEDS * len(self.crops.train)
        self.head = Distillation(capacity, args.scale, args.margin).to(self.device)
        self.head.extend(self.crops.class_targets().to(self.device))
        self.optimisers = muon.optimisers(self.model, self.head, args.lr, args.muon_lr)
        self.clock = Clock(3600 * args.hours)
        self.step = 0
        self.stop = False

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "head": self.head.state_dict(),
            "classes": self.head.classes,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "worked": self.clock.worked,
            "rng": torch.get_rng_state(),
        }
        partial = self.args.run / "checkpoint.partial"
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())  # a power cut must not leave a short file under the good name
        os.replace(partial, self.args.run / "checkpoint.pt")

    def start(self) -> None:
        """From the checkpoint, else from a trained trunk with a last layer fitted to the teacher."""
        path = self.args.run / "checkpoint.pt"
        self.wake(phase_at(PHASES, 0.0))
        if path.exists():
            self.resume(path)
        elif self.args.begin:
            begin.load_trunk(self.model, self.args.begin)
            cosine = begin.fit_last_layer(self.model, self.crops)
            self.average.load_state_dict(self.model.state_dict())
            print(f"last layer fitted: cosine {cosine:.3f} to the teacher on what it was fitted to", flush=True)

    def resume(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.head.load_state_dict(state["head"])
        self.head.classes = state["classes"]
        self.head.extend(self.crops.class_targets().to(self.device))
        for optimiser, saved in zip(self.optimisers, state["optimisers"]):
            optimiser.load_state_dict(saved)
        self.step = state["step"]
        self.clock.worked = state["worked"]
        torch.set_rng_state(state["rng"].cpu())
        # Other crops than those of the first steps: hearing the same again would gain nothing.
        self.crops.rng = np.random.default_rng([self.args.seed, self.step])

    def wake(self, phase: Phase) -> None:
        """Let the blocks of a phase run, in the network and in its average."""
        self.model.active = self.average.active = phase.blocks

    def train_step(self, progress: float) -> dict[str, float]:
        phase = phase_at(PHASES, progress)
        self.wake(phase)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * learning_rate(progress)
        n_frames = int(self.crops.rng.integers(phase.n_frames[0], phase.n_frames[1] + 1))
        x, targets, classes = self.crops.batch(phase.batch, n_frames, self.args.per_speaker)
        x = augment(x)
        x = (x - x.mean(1, keepdim=True)).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            out = self.model(x)
        loss, log = self.head(out, targets.to(self.device), classes.to(self.device), LOSSES)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self.update_average()
        return log | {"audio_s": len(x) * n_frames / 100}

    @torch.no_grad()
    def update_average(self) -> None:
        share = 1 / min(AVERAGE_STEPS, 1 + self.step / 4)
        values = self.model.state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(values[name], share)
            else:
                mean.copy_(values[name])

    def evaluate(self, left_out: TrialSet) -> None:
        """The average's error rates and likeness into evaluations.csv, and the model as it stands."""
        utc = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        embeddings = embed(self.average, left_out.features)
        cosine = left_out.likeness(embeddings, self.crops.centre)
        rates = left_out.rates(embeddings)
        path = self.args.run / "evaluations.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            rows = csv.writer(file)
            if fresh:
                rows.writerow(COLUMNS)
            for corpus, (eer, cost) in rates.items():
                rows.writerow([utc, self.step, f"{self.clock.progress():.4f}", corpus, f"{eer:.2f}",
                               f"{cost:.3f}", f"{cosine:.4f}"])  # fmt: skip
        line = ", ".join(f"{corpus} {eer:.1f}" for corpus, (eer, _) in rates.items())
        print(f"  left out: cosine {cosine:.3f}, EER % {line}", flush=True)
        path = self.args.run / "model-latest.safetensors"
        export.export(self.average.state_dict(), path, export.NAME, torch.float32)

    def pause(self) -> None:
        """Wait while there is a file `pause`, with everything on disk."""
        flag = self.args.run / "pause"
        if flag.exists():
            self.save()
            print(f"step {self.step}: paused by {flag}", flush=True)
            while flag.exists() and not self.stop:
                time.sleep(PAUSE_POLL_S)

    def train(self, left_out: TrialSet) -> None:
        """Steps until the end of the schedule, or until told to stop."""
        logs: list[dict[str, float]] = []
        saved = reported = time.monotonic()
        evaluated = self.clock.worked
        if self.step == 0:
            self.evaluate(left_out)
        while not self.stop and self.clock.progress() < 1.0:
            began = time.process_time()
            logs.append(self.train_step(self.clock.progress()))
            self.clock.worked += time.process_time() - began
            now = time.monotonic()
            if now - reported > REPORT_S:
                self.report(logs)
                logs, reported = [], now
            if now - saved > 60 * self.args.save_minutes:
                self.save()
                self.take_in_new_speeds()
                saved = time.monotonic()
            if self.clock.worked - evaluated > 60 * self.args.eval_minutes:
                self.evaluate(left_out)
                evaluated = self.clock.worked
            self.pause()
        self.save()
        if not self.stop:
            self.evaluate(left_out)

    def take_in_new_speeds(self) -> None:
        for name in self.crops.refresh():
            print(f"  new: {name}", flush=True)
        self.head.extend(self.crops.class_targets().to(self.device))

    def report(self, logs: list[dict[str, float]]) -> None:
        means = " ".join(f"{key} {np.mean([log[key] for log in logs]):.4f}" for key in logs[0] if key != "audio_s")
        print(
            f"step {self.step}, {100 * self.clock.progress():.2f} %, {self.clock.left() / 3600:.2f} h left, "
            f"{means}, {len(logs)} steps of {np.mean([log['audio_s'] for log in logs]):.0f} s, "
            f"blocks {self.model.active}",
            flush=True,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="folder of prepared speeds; more may arrive later")
    parser.add_argument("run", type=Path, help="folder of the run: checkpoint, error rates, model")
    parser.add_argument("--left-out", type=Path, required=True, help="folder that `left-out` wrote, to watch")
    parser.add_argument("--hours", type=float, default=10.0, help="processor time of the whole run (default 10)")
    parser.add_argument("--begin", type=Path, help="model whose trunk a new run begins with")
    parser.add_argument("--lr", type=float, default=1e-3, help="AdamW's highest rate")
    parser.add_argument("--muon-lr", type=float, default=0.015, help="Muon's highest rate")
    parser.add_argument("--scale", type=float, default=20.0, help="of the softmax over speakers")
    parser.add_argument("--margin", type=float, default=0.1, help="cosine margin of the softmax")
    parser.add_argument("--mean-share", type=float, default=0.6, help="speaker's mean in a target")
    parser.add_argument("--per-speaker", type=int, default=2, help="crops of a speaker in a batch")
    parser.add_argument("--save-minutes", type=float, default=4.0, help="by the wall")
    parser.add_argument("--eval-minutes", type=float, default=20.0, help="of processor time")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> bool:
    """Returns whether the run came to its end."""
    torch.set_num_threads(args.threads)
    run = Run(args)

    def on_signal(_number: int, _frame: object) -> None:
        run.stop = True  # the step in hand is finished, then the checkpoint is written

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    run.start()
    print(f"from step {run.step} on {run.device}, {'bfloat16' if run.bfloat16 else 'float32'}", flush=True)
    run.train(TrialSet.of_folder(args.left_out))
    return not run.stop
