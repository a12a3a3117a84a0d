"""The program under test, small models with known answers, and recordings made on the spot."""

from __future__ import annotations

import json
import os
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
PROGRAM = Path(os.environ.get("VOICEPRINT_BUILD", ROOT / "build" / "release")) / "voiceprint"
MODEL = GOLDEN / "models" / "small.safetensors"
DEADLINE_S = 60
# The command line has threads where it works on many files, and there alone: ThreadSanitizer gets no other. What is
# installed where is the same in every build.
THREADED = ("test_files.py", "test_segmentation.py")
collect_ignore = {
    "tsan": [file.name for file in Path(__file__).parent.glob("test_*.py") if file.name not in THREADED],
    "asan": ["test_install.py"],
}.get(PROGRAM.parent.name, [])

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """Calls the program with the small model as its default, and returns what it said."""

    def call(*args: str | Path, env: dict[str, str] | None = None,
             stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "VOICEPRINT_MODEL": str(MODEL), **(env or {})}
        return subprocess.run([PROGRAM, *map(str, args)], env=environment, input=stdin,
                              capture_output=True, text=True, timeout=DEADLINE_S, check=False)

    return call


def lines(done: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_wav(path: Path, samples: np.ndarray, rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def golden_signal(n_frames: int) -> np.ndarray:
    return np.load(GOLDEN / "signal.npy")[: 400 + 160 * (n_frames - 1)]


@pytest.fixture
def clip(tmp_path: Path) -> Callable[[int], Path]:
    """A recording of so many frames, the beginning of the golden signal."""
    return lambda n_frames: write_wav(tmp_path / f"t{n_frames:03}.wav", golden_signal(n_frames))
