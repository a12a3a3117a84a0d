"""From recorded speech to the model in the box: every step of the recipe, one after the other.

What is done is not done again, so this command goes on after it was stopped. It ends early, and says
so, when the run is told to stop.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from train import export, left_out, prepare, run, whiten

CALIBRATE = Path(__file__).resolve().parents[1] / "calibrate.py"


def step(module: ModuleType, *arguments: object) -> object:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.main(parser.parse_args([str(argument) for argument in arguments]))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="folder with segments.csv and the audio")
    parser.add_argument("work", type=Path, help="folder for features, run and checkpoints")
    parser.add_argument("model", type=Path, help="the .safetensors file to write")
    parser.add_argument("--teacher", type=Path, required=True, help="the checkpoint of CAM++")
    parser.add_argument("--begin", type=Path, required=True, help="model whose trunk the run begins with")
    parser.add_argument("--hours", type=float, default=10.0, help="processor time of the run (default 10)")
    parser.add_argument("--threads", type=int, default=1, help="of the run")


def main(args: argparse.Namespace) -> None:
    data, voices, folder = (args.work / name for name in ("data", "left-out", "run"))
    step(prepare, args.source, data, "--teacher", args.teacher)
    if not (voices / "trials.txt").exists():
        step(left_out, args.source, voices, "--teacher", args.teacher)
    finished = step(run, data, folder, "--left-out", voices, "--begin", args.begin, "--hours", args.hours,
                    "--threads", args.threads)  # fmt: skip
    if not finished:
        print(f"{folder}: stopped; the same command goes on")
        return
    whitened = args.work / "whitened.pt"
    step(whiten, data, folder / "checkpoint.pt", whitened, "--left-out", voices)
    step(export, whitened, args.model)
    subprocess.run([sys.executable, CALIBRATE, "--model", args.model, "--audio", voices], check=True)
