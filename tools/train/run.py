"""Train the student on prepared variants; stops and goes on where it was.

The checkpoint holds everything and is replaced atomically. A run that was stopped or killed goes on
from it when started again with the same folder. CUDA when there is one, else the CPU in bfloat16.
"""

from __future__ import annotations

import argparse
import copy
import csv
import datetime
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

from train import export, muon
from train.augment import augment
from train.crops import Crops
from train.losses import Distillation
from train.schedule import SCHEDULES, Clock, learning_rate, phase_at
from train.student import Student
from train.trials import TrialSet, embed

AVERAGE_STEPS = 150  # time constant of the weight average, once the run is old enough for it
MAX_SPEEDS = 8  # different speeds among the variants
REPORT_S = 20.0


def until_time(text: str) -> float:
    """HH:MM UTC, the next one to come, as Unix time."""
    now = datetime.datetime.now(datetime.timezone.utc)
    wanted = datetime.datetime.strptime(text, "%H:%M")
    end = now.replace(hour=wanted.hour, minute=wanted.minute, second=0, microsecond=0)
    return (end if end > now else end + datetime.timedelta(days=1)).timestamp()


class Run:
    """A training run: network, weight average, losses, optimisers and clock."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        args.run.mkdir(parents=True, exist_ok=True)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(args.seed)
        self.crops = Crops(args.data, args.mean_share, args.seed)
        self.model = Student().to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        capacity = MAX_SPEEDS * len(self.crops.train)
        self.head = Distillation(capacity, args.scale, args.margin).to(self.device)
        self.head.extend(self.crops.class_targets().to(self.device))
        self.optimisers = muon.optimisers(self.model, self.head, args.lr, args.muon_lr)
        seconds = 3600 * args.hours if args.hours else None
        self.clock = Clock(time.time(), args.until, seconds)
        self.phases = SCHEDULES[args.schedule]
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
            "began": self.clock.began,
            "worked": self.clock.worked,
            "rng": torch.get_rng_state(),
        }
        partial = self.args.run / "checkpoint.partial"
        torch.save(state, partial)
        os.replace(partial, self.args.run / "checkpoint.pt")

    def resume(self) -> None:
        path = self.args.run / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.head.load_state_dict(state["head"])
        self.head.classes = state["classes"]
        self.head.extend(self.crops.class_targets().to(self.device))
        for optimiser, saved in zip(self.optimisers, state["optimisers"]):
            optimiser.load_state_dict(saved)
        self.step = state["step"]
        self.clock.began, self.clock.worked = state["began"], state["worked"]
        torch.set_rng_state(state["rng"].cpu())
        # Other crops than those of the first steps: hearing the same again would gain nothing.
        self.crops.rng = np.random.default_rng([self.args.seed, self.step])

    def train_step(self, progress: float) -> dict[str, float]:
        phase = phase_at(self.phases, progress)
        self.model.active = self.average.active = phase.blocks
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * learning_rate(progress)
        x, targets, classes = self.crops.batch(phase.batch, phase.n_frames, self.args.per_speaker)
        x = augment(x)
        x = (x - x.mean(1, keepdim=True)).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            out = self.model(x)
        loss, log = self.head(out, targets.to(self.device), classes.to(self.device), phase.losses)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self.update_average()
        return log

    @torch.no_grad()
    def update_average(self) -> None:
        share = 1 / min(AVERAGE_STEPS, 1 + self.step / 4)
        values = self.model.state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(values[name], share)
            else:
                mean.copy_(values[name])

    def evaluate(self, sets: dict[str, TrialSet], progress: float) -> None:
        """Error rates of the average into evaluations.csv, and the model as it stands."""
        utc = time.strftime("%H:%M:%S", time.gmtime())
        with (self.args.run / "evaluations.csv").open("a", newline="") as file:
            for title, trials in sets.items():
                rates = trials.rates(embed(self.average, trials.features))
                for corpus, (eer, cost) in rates.items():
                    row = [utc, self.step, f"{progress:.3f}", title, corpus, f"{eer:.2f}", f"{cost:.3f}"]
                    csv.writer(file).writerow(row)
                line = ", ".join(f"{corpus} {eer:.1f}" for corpus, (eer, _) in rates.items())
                print(f"  EER % {title}: {line}", flush=True)
        path = self.args.run / "model-latest.safetensors"
        export.export(self.average.state_dict(), path, export.NAME, torch.float32)

    def train(self, sets: dict[str, TrialSet]) -> None:
        """Steps until the end of the schedule, or until told to stop."""
        logs: list[dict[str, float]] = []
        saved = evaluated = reported = time.time()
        while not self.stop:
            began = time.time()
            progress = self.clock.progress(began)
            if progress >= 1.0:
                break
            logs.append(self.train_step(progress))
            now = time.time()
            self.clock.tick(now - began)
            if now - reported > REPORT_S:
                self.report(logs, now, now - reported)
                logs, reported = [], now
            if now - saved > 60 * self.args.save_minutes:
                self.save()
                for name in self.crops.refresh():
                    print(f"  new variant {name}", flush=True)
                self.head.extend(self.crops.class_targets().to(self.device))
                saved = now
            if now - evaluated > 60 * self.args.eval_minutes:
                self.evaluate(sets, progress)
                evaluated = now
        self.save()
        if not self.stop:
            self.evaluate(sets, 1.0)

    def report(self, logs: list[dict[str, float]], now: float, seconds: float) -> None:
        phase = phase_at(self.phases, self.clock.progress(now))
        audio = len(logs) * phase.batch * phase.n_frames / 100 / seconds
        means = " ".join(f"{key} {np.mean([log[key] for log in logs]):.4f}" for key in logs[0])
        print(
            f"step {self.step}, {100 * self.clock.progress(now):.1f} %, "
            f"{self.clock.left(now) / 60:.0f} min left, {means}, {audio:.0f} s of audio/s, "
            f"blocks {phase.blocks}",
            flush=True,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="folder of prepared variants; more may arrive later")
    parser.add_argument("run", type=Path, help="folder of the run: checkpoint, error rates, model")
    end = parser.add_mutually_exclusive_group(required=True)
    end.add_argument("--until", type=until_time, help="end by the clock, HH:MM UTC")
    end.add_argument("--hours", type=float, help="computing time of the whole run")
    parser.add_argument("--schedule", choices=sorted(SCHEDULES), default="short", help="see schedule.py")
    parser.add_argument("--trials", type=Path, help="folder with clips.csv and trials.txt to watch")
    parser.add_argument("--lr", type=float, default=2e-3, help="AdamW's highest rate")
    parser.add_argument("--muon-lr", type=float, default=0.03, help="Muon's highest rate")
    parser.add_argument("--scale", type=float, default=20.0, help="of the softmax over speakers")
    parser.add_argument("--margin", type=float, default=0.1, help="cosine margin of the softmax")
    parser.add_argument("--mean-share", type=float, default=0.6, help="speaker's mean in a target")
    parser.add_argument("--per-speaker", type=int, default=2, help="crops of a speaker in a batch")
    parser.add_argument("--save-minutes", type=float, default=4.0)
    parser.add_argument("--eval-minutes", type=float, default=12.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    run = Run(args)

    def on_signal(_number: int, _frame: object) -> None:
        run.stop = True  # the step in hand is finished, then the checkpoint is written

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    run.resume()
    print(f"from step {run.step} on {run.device}", flush=True)
    clean = next((v for v in run.crops.variants if v.speed == 1.0), run.crops.variants[0])
    sets = {"held-out": TrialSet.of_held_out(clean)}
    if args.trials:
        sets["trials"] = TrialSet.of_folder(args.trials)
    run.train(sets)
