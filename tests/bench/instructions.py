#!/usr/bin/env python3
"""Counts the instructions of the network's forward pass, kernel by kernel, in qemu-user.

The count is exact and the same on every machine. It is no time: how many instructions a processor
starts at once, and what it waits for, is not in it.

    EMULATOR="qemu-aarch64 -L SYSROOT" tests/bench/instructions.py --build build/arm64
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 900


def build_plugin(folder: Path) -> Path:
    plugin = folder / "count_instructions.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", ROOT / "tests/bench/count_instructions.c", "-o", plugin],
                   check=True, timeout=60)
    return plugin


def count(emulator: list[str], plugin: Path, program: Path, model: Path, kernel: str, features: Path,
          frames: int, n_passes: int) -> tuple[int, np.ndarray]:
    """Instructions of a process that runs the network so many times, and the last embedding."""
    done = subprocess.run([*emulator, "-plugin", f"file={plugin}", program, model, kernel],
                          input=f"{features} {frames}\n" * n_passes, capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("instructions ")]
    if done.returncode != 0 or len(lines) != 1:
        raise SystemExit(f"{kernel}: {done.stderr.strip()}")
    embedding = [float(value) for value in done.stdout.splitlines()[-1].split()[2:]]
    return int(lines[0].split()[1]), np.array(embedding)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build/arm64"), help="holds tests/bench/forward")
    parser.add_argument("--model", type=Path, default=ROOT / "models/voiceprint.safetensors")
    parser.add_argument("--kernels", default="blas,neon", help="the first one is the yardstick")
    parser.add_argument("--frames", type=int, default=98, help="length of the clip, hundredths of a second")
    args = parser.parse_args()

    emulator = shlex.split(os.environ.get("EMULATOR", ""))
    if not emulator:
        parser.error("EMULATOR names no qemu")
    first: tuple[int, np.ndarray] | None = None
    with tempfile.TemporaryDirectory() as scratch:
        plugin = build_plugin(Path(scratch))
        features = Path(scratch) / "features.raw"
        np.random.default_rng(1).standard_normal((args.frames, 80)).astype("<f4").tofile(features)
        for kernel in args.kernels.split(","):
            run = [count(emulator, plugin, args.build / "tests/bench/forward", args.model, kernel, features,
                         args.frames, n_passes) for n_passes in (1, 2)]
            n = run[1][0] - run[0][0]
            first = first or (n, run[1][1])
            cosine = float(run[1][1] @ first[1] / np.linalg.norm(run[1][1]) / np.linalg.norm(first[1]))
            print(f"{kernel}: {n / 1e6:.1f} million instructions for {args.frames} frames, "
                  f"{first[0] / n:.2f} times fewer than {args.kernels.split(',')[0]}, cosine {cosine:.9f}", flush=True)
            if cosine < 0.9999:
                print(f"{kernel}: another embedding", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
