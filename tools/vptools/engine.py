"""The C engine, through its command line program `voiceprint`."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vptools import progress

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PROGRAM = ROOT / "build" / "release" / "voiceprint"


class EngineError(Exception):
    """What the engine said of the files it refused."""


def info(model: Path | None = None, program: Path = DEFAULT_PROGRAM) -> dict[str, Any]:
    """What the engine says of a model: `voiceprint info`."""
    command = [str(program), "info", *(["--model", str(model)] if model is not None else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineError(done.stderr.strip() or f"{program} ended with {done.returncode}")
    return json.loads(done.stdout)


def embed(
    files: list[Path],
    model: Path | None = None,
    program: Path = DEFAULT_PROGRAM,
    jobs: int = os.cpu_count() or 1,
    options: tuple[str, ...] = (),
) -> dict[Path, NDArray[np.float64]]:
    """Unit-norm embeddings [dim] of the files. All of them, or EngineError."""
    command = [str(program), "embed", "--jobs", str(jobs), *options]
    if model is not None:
        command += ["--model", str(model)]
    with (tempfile.NamedTemporaryFile("w", suffix=".list") as listed,
          tempfile.TemporaryFile("w+") as complaints):
        listed.write("".join(f"{file}\n" for file in files))
        listed.flush()
        with subprocess.Popen([*command, "--list", listed.name], stdout=subprocess.PIPE,
                              stderr=complaints, text=True) as running:
            assert running.stdout is not None
            lines = list(progress.each(running.stdout, len(files), "embedded"))
        if running.returncode != 0:
            complaints.seek(0)
            raise EngineError(complaints.read().strip() or f"{program} ended with {running.returncode}")
    answers = (json.loads(line) for line in lines)
    found = {Path(answer["file"]): np.array(answer["embedding"]) for answer in answers}
    missing = [str(file) for file in files if file not in found]
    if missing:
        raise EngineError(f"{program} gave no embedding of {missing[0]}")
    return found
