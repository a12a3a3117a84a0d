#!/usr/bin/env python3
"""The service against those that one would write instead (peer.py), on the same two cores.

All have two workers and the same weights: ONNX Runtime and, from build/venv-peers, sherpa-onnx and
pyannote.audio. wrk, 8 connections kept alive, asks them in turn for the embedding of one 3 s clip; it is
a C program and takes well below a percent of the time. Then memory with 60 s clips, and the time from
start to ready. Ratios count; rates belong to the machine, and the best round of each side is the one that
others on the machine disturbed least. On a machine that others use too, processor time a clip says more:
what the two cores would do if they were idle. The cosine to our embedding says who computes the same.
"""

from __future__ import annotations

import argparse
import atexit
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from net import ROOT, cpu_name  # noqa: E402

HERE = Path(__file__).parent
N_WORKERS = 2
START_DEADLINE_S = 60
SEED = 2034


def clip_wav(seconds: float) -> bytes:
    """16 kHz, 16-bit: syllables of a buzz and noise; neither side knows what it hears."""
    t = np.arange(int(seconds * 16000)) / 16000
    noise = np.random.default_rng(1).normal(0, 0.3, len(t))
    signal = 6000 * (0.15 + np.abs(np.sin(np.pi * 3.7 * t))) * (noise + np.sin(2 * np.pi * 140 * t))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.clip(signal, -32768, 32767).astype("<i2").tobytes())
    return out.getvalue()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Side:
    """One service under measurement, and what was measured of it."""

    name: str
    command: list[str]  # {port} is put in
    env: dict[str, str] = field(default_factory=dict)
    rounds: list[dict[str, float]] = field(default_factory=list)
    cosine: float = 1.0  # of its embedding and ours

    def start(self) -> float:
        """Seconds from exec to the first /readyz that says so."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "VOICEPRINTD_"))}
        begin = time.monotonic()
        self.process = subprocess.Popen([word.format(port=port) for word in self.command], cwd=HERE,
                                        env={**environment, **self.env}, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        atexit.register(self.stop)  # whatever ends this program
        while True:
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=5):
                    return time.monotonic() - begin
            except OSError:
                if self.process.poll() is not None or time.monotonic() - begin > START_DEADLINE_S:
                    sys.exit(f"{self.name} does not become ready: {' '.join(self.command)}")
                time.sleep(0.001)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def embed(self, clip: bytes) -> np.ndarray:
        request = urllib.request.Request(self.url + "/embed", clip, {"Content-Type": "audio/wav"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return np.array(json.load(reply)["embedding"])

    def load(self, clip: Path, seconds: float, clients: int) -> dict[str, float]:
        """One run of wrk. Adds the share of one core that wrk itself took."""
        before, cpu_before = os.times(), self.cpu_s()
        done = subprocess.run(["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--timeout=60s", "-s",
                               str(HERE / "embed.lua"), self.url + "/embed"], capture_output=True,
                              text=True, check=True, env={**os.environ, "CLIP": str(clip)})
        after, cpu_s = os.times(), self.cpu_s() - cpu_before
        figures = json.loads(done.stdout.splitlines()[-1])
        if figures["errors"]:
            sys.exit(f"{self.name}: {figures['errors']:.0f} requests failed")
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return {**figures, "rate": figures["requests"] / figures["seconds"], "wrk": used / figures["seconds"],
                "cpu_ms": 1e3 * cpu_s / figures["requests"]}

    def best(self, key: str) -> float:
        return max(r[key] for r in self.rounds) if key == "rate" else min(r[key] for r in self.rounds)

    def median(self, key: str) -> float:
        return float(np.median([r[key] for r in self.rounds]))

    def processes(self) -> list[str]:
        """It, its children and theirs: decoders are those of the zygote."""
        found = [str(self.process.pid)]
        for pid in found:
            found += Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return found

    def cpu_s(self) -> float:
        """Processor time so far of all its processes, together."""
        ticks = 0
        for pid in self.processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """Peak resident memory of all its processes, together; what they share counts in each of them."""
        peak = 0
        for pid in self.processes():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak += int(line.split()[1])
        return peak / 1024


def make_model(folder: Path) -> Path:
    """ResNet34 with He-initialised weights: .onnx with what sherpa-onnx wants to be told, .safetensors beside it."""
    sys.path[:0] = [str(ROOT / "tests" / "reference"), str(ROOT / "tools")]
    import onnx
    import torch
    from onnx_export import export_torchscript
    from safetensors.torch import save_file
    from untrained import untrained
    from vptools.resnet import RESNETS, tensors

    folder.mkdir(parents=True, exist_ok=True)
    network = untrained(RESNETS["resnet34"], SEED)
    # No mean vector is taken off: pyannote.audio knows of none.
    model = onnx.load_from_string(export_torchscript(network, torch.zeros(network.arch.dim)))
    onnx.helper.set_model_props(model, {
        "framework": "wespeaker", "language": "English", "url": "", "comment": "untrained", "sample_rate": "16000",
        "output_dim": str(network.arch.dim), "normalize_samples": "0"})
    path = folder / "service.onnx"
    save_file(tensors(network), path.with_suffix(".safetensors"))
    onnx.save(model, path)
    return path


def measure_load(sides: list[Side], clip: Path, options: argparse.Namespace) -> None:
    for side in sides:
        side.start()
    embeddings = [side.embed(clip.read_bytes()) for side in sides]
    for side, embedding in zip(sides, embeddings):
        side.cosine = float(embeddings[0] @ embedding)
        # sherpa-onnx cuts its mel bands otherwise, which an untrained network does not forgive
        if side.cosine < 0.9999 and side.name != "sherpa-onnx":
            sys.exit(f"{side.name} does not compute the same: cosine {side.cosine}")
    for side in sides:
        side.load(clip, 1, options.clients)  # warm
    for number in range(options.rounds):
        for side in sides:
            side.rounds.append(side.load(clip, options.seconds, options.clients))
        print(f"  round {number + 1}: " + ", ".join(
            f"{side.name} {side.rounds[-1]['rate']:.1f}/s p50 {side.rounds[-1]['p50_ms']:.0f} "
            f"p99 {side.rounds[-1]['p99_ms']:.0f} ms, CPU {side.rounds[-1]['cpu_ms']:.1f} ms" for side in sides), flush=True)
    for side in sides:
        side.stop()


def print_load(sides: list[Side], options: argparse.Namespace) -> None:
    print(f"\n{options.clients} clients, clips of 3 s, two cores; best round (median)\n")
    print("| | clips/s | p50 ms | p99 ms | CPU ms a clip | of wrk | cosine to ours |\n|---|---|---|---|---|---|---|")
    for side in sides:
        cells = [f"{side.best(key):.1f} ({side.median(key):.1f})" for key in ("rate", "p50_ms", "p99_ms", "cpu_ms")]
        print(f"| {side.name} | {' | '.join(cells)} | {100 * side.median('wrk'):.1f} % of a core | {side.cosine:.6f} |")
    ours, *peers = sides
    for peer in peers:
        ratios = [a["rate"] / b["rate"] for a, b in zip(ours.rounds, peer.rounds)]
        print(f"| ratio to {peer.name} | {ours.best('rate') / peer.best('rate'):.2f} ({np.median(ratios):.2f}) | | "
              f"| {peer.best('cpu_ms') / ours.best('cpu_ms'):.2f} "
              f"({peer.median('cpu_ms') / ours.median('cpu_ms'):.2f}) | | |")
    fastest = min(peers, key=lambda side: side.best("p50_ms"))
    print(f"\nour p99 over the p50 of {fastest.name}: {ours.best('p99_ms') / fastest.best('p50_ms'):.2f}"
          f" ({ours.median('p99_ms') / fastest.median('p50_ms'):.2f})")


def peer(engine: str, python: Path, model: Path) -> Side:
    """peer.py with one of its engines, a process for each core."""
    return Side(engine, [str(python), "-m", "uvicorn", "peer:app", "--port", "{port}", "--workers", str(N_WORKERS),
                         "--log-level", "critical", "--no-access-log"],
                {"ENGINE": engine, "MODEL": str(model.resolve()), "OMP_NUM_THREADS": "1"})


def measure_memory_and_start(sides: list[Side], folder: Path, repeat: int) -> None:
    clip = folder / "long.wav"
    clip.write_bytes(clip_wav(60.0))
    print("\n| | peak MiB with 60 s clips | start to ready, s: minimum (median) |\n|---|---|---|")
    for side in sides:
        starts = []
        for _ in range(repeat):
            starts.append(side.start())
            side.stop()
        starts.append(side.start())
        side.load(clip, 20, 2 * N_WORKERS)  # long enough for the slowest to answer
        peak = side.peak_mib()
        side.stop()
        print(f"| {side.name} | {peak:.0f} | {min(starts):.2f} ({np.median(starts):.2f}) |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/voiceprintd")
    parser.add_argument("--model", type=Path, default=ROOT / "build/bench/service.onnx",
                        help="ONNX, for all, its weights beside it as .safetensors; made when it is not there")
    parser.add_argument("--peers", type=Path, default=ROOT / "build/venv-peers/bin/python",
                        help="the Python that has sherpa-onnx and pyannote.audio")
    parser.add_argument("--seconds", type=float, default=8, help="of each run of wrk")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()

    if not options.model.exists():
        options.model = make_model(options.model.parent)
    cpus = sorted(os.sched_getaffinity(0))[:N_WORKERS]
    os.sched_setaffinity(0, set(cpus))  # wrk and both services inherit it
    ours = Side("voiceprintd", [str(options.program.resolve()), "--listen", "127.0.0.1:{port}", "--model",
                                str(options.model.resolve()), "--workers", str(N_WORKERS),
                                "--queue-size", "64", "--log-level", "warn", "--drain-delay-s", "0"])
    sides = [ours, *(peer(name, python, options.model) for name, python in (
        ("onnxruntime", Path(sys.executable)), ("sherpa-onnx", options.peers), ("pyannote", options.peers)))]
    print(f"{cpu_name()}, CPUs {cpus}, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.wav"
        clip.write_bytes(clip_wav(3.0))
        measure_load(sides, clip, options)
        print_load(sides, options)
        measure_memory_and_start(sides, folder, options.starts)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
