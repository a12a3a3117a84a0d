#!/usr/bin/env python3
"""The network's time against ONNX Runtime's: one table, and a plot over the clip's length.

Both sides compute the same full-size ResNet34 in float32 on one pinned core, in turn within one
run, so that what else happens on the machine meets both. Ratios count; milliseconds belong to the
machine. On a machine that others use too, --cpu-time leaves out what was spent waiting for the core
(not what others do to its caches). OPENBLAS_* of the environment, which would slow our plain kernel
down, is left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
N_MELS = 80
FRAMES_PER_S = 100


@dataclass
class Side:
    name: str
    ms: dict[int, list[float]] = field(default_factory=dict)

    def minimum(self, n_frames: int) -> float:
        return min(self.ms[n_frames])

    def median(self, n_frames: int) -> float:
        return float(np.median(self.ms[n_frames]))


class Ours:
    """tests/bench/forward with one kernel; times the forward pass itself."""

    def __init__(self, program: Path, model: Path, kernel: str, cpu_time: bool) -> None:
        self.column = 1 if cpu_time else 0
        self.process = subprocess.Popen([program, model, kernel], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def run(self, features: Path, n_frames: int) -> tuple[float, np.ndarray]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{features} {n_frames}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().split()
        if not line:
            sys.exit(f"{self.process.args[2]}: the benchmark program ended")
        return float(line[self.column]), np.array(line[2:], np.float64)


class OnnxRuntime:
    def __init__(self, model: Path, cpu_time: bool) -> None:
        import onnxruntime

        self.clock = time.thread_time if cpu_time else time.perf_counter

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.version = onnxruntime.__version__

    def run(self, features: Path, n_frames: int) -> tuple[float, np.ndarray]:
        x = np.fromfile(features, np.float32).reshape(1, n_frames, N_MELS)
        start = self.clock()
        embedding = self.session.run(None, {self.input: x})[0]
        return (self.clock() - start) * 1e3, embedding.ravel().astype(np.float64)


def make_model(folder: Path) -> Path:
    """ResNet34 with He-initialised weights, exported as WeSpeaker does."""
    sys.path[:0] = [str(ROOT / "tests" / "reference"), str(ROOT / "tools")]
    from parity import full_size

    folder.mkdir(parents=True, exist_ok=True)
    return full_size("resnet34", folder)[1]


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def kernels_of_cpu() -> set[str]:
    flags = Path("/proc/cpuinfo").read_text()
    return {"blas"} | ({"avx2"} if " avx2" in flags else set()) | (
        {"avx512"} if " avx512vl" in flags else set())


def print_table(sides: list[Side], lengths: list[int]) -> None:
    reference = sides[0]
    print(f"\n{'ms: minimum (median)':24}" + "".join(f"{f'T={n}':>32}" for n in lengths))
    for side in sides:
        cells = []
        for n in lengths:
            text = f"{side.minimum(n):.1f} ({side.median(n):.1f})"
            if side is not reference:
                text += (f"  {reference.minimum(n) / side.minimum(n):.2f}x"
                         f" ({reference.median(n) / side.median(n):.2f}x)")
            cells.append(f"{text:>32}")
        print(f"{side.name:24}" + "".join(cells))


def plot(sides: list[Side], lengths: list[int], subtitle: str, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for side in sides:
        axes.plot([n / FRAMES_PER_S for n in lengths], [side.minimum(n) for n in lengths], marker="o",
                  label=side.name)
    axes.set(xlabel="clip length, s", ylabel="forward pass on one core, ms", xlim=(0, None),
             ylim=(0, None))
    axes.set_title(subtitle, fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    print(f"plot: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/tests/bench/forward")
    parser.add_argument("--model", type=Path, default=ROOT / "build/bench/resnet34.onnx",
                        help="made when it is not there")
    parser.add_argument("--frames", default="98,198,298,598,998")
    parser.add_argument("--kernels", default="avx512,avx2,blas")
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--cpu-time", action="store_true", help="of the thread, not of the clock")
    parser.add_argument("--plot", type=Path, help="write a PNG of time against length")
    options = parser.parse_args()

    if not options.model.exists():
        options.model = make_model(options.model.parent)
    for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
        del os.environ[name]
    os.sched_setaffinity(0, {options.cpu})
    lengths = [int(n) for n in options.frames.split(",")]
    onnx = OnnxRuntime(options.model, options.cpu_time)
    engines = {f"ONNX Runtime {onnx.version}": onnx}
    for kernel in options.kernels.split(","):
        if kernel in kernels_of_cpu():
            engines[f"voiceprint {kernel}"] = Ours(options.program, options.model, kernel, options.cpu_time)
    sides = [Side(name) for name in engines]

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for n_frames in lengths:
            features = Path(folder) / f"{n_frames}.f32"
            (2 * rng.standard_normal((n_frames, N_MELS))).astype(np.float32).tofile(features)
            embeddings: dict[str, np.ndarray] = {}
            for _ in range(options.repeat):
                for side in sides:
                    ms, embeddings[side.name] = engines[side.name].run(features, n_frames)
                    side.ms.setdefault(n_frames, []).append(ms)
            first = embeddings[sides[0].name]
            for name, embedding in embeddings.items():
                if np.abs(embedding - first).max() > 1e-4 * np.linalg.norm(first):
                    sys.exit(f"{name}: not ONNX Runtime's embedding at {n_frames} frames")
    print(f"{cpu_name()}, CPU {options.cpu}, {options.repeat} runs each, in turn,"
          f" {'CPU' if options.cpu_time else 'wall'} time")
    print_table(sides, lengths)
    if options.plot:
        plot(sides, lengths, f"ResNet34, float32, {cpu_name()}", options.plot)


if __name__ == "__main__":
    main()
