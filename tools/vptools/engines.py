"""One recording through three engines: ours, ONNX Runtime, PyTorch. All answer the same way.

`stages` gives every stage by name, in the order of STAGES, batch axis removed:
fbank [T, n_mels], conv1 and layer1..4 [C, F, T'], pooled [2 C F], embedding [dim], not normalised.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Protocol, Sequence

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import ModelProto

from vptools import checkpoint, engine, onnx_net, progress
from vptools.engine import EngineError
from vptools.features import fbank, read_samples
from vptools.resnet import ResNet, load

STAGES = ("fbank", "conv1", "layer1", "layer2", "layer3", "layer4", "pooled", "embedding")
DEADLINE_S = 600
SHORTEST_S = "0.105"  # nine frames, the fewest that have statistics


class Engine(Protocol):
    name: str

    def embeddings(self, clips: Sequence[Path]) -> list[np.ndarray]:
        """An embedding [dim] for each clip, not normalised."""

    def stages(self, clip: Path) -> dict[str, np.ndarray]:
        """Every stage of one clip."""


class OurEngine:
    """The C engine, through its command line."""

    def __init__(self, program: Path, model: Path, kernel: str = "auto") -> None:
        self.program = program
        self.model = ("--model", str(model), "--min-duration", SHORTEST_S)
        self.options = (*self.model, "--kernel", kernel)
        self.name = f"voiceprint {kernel} {model.name}"

    def _run(self, *args: str) -> None:
        done = subprocess.run([self.program, *args], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        if done.returncode != 0:
            raise EngineError(f"{self.name}: {args[0]} ended with {done.returncode}: {done.stderr.strip()}")

    def fbank(self, clip: Path) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            self._run("fbank", str(clip), *self.model, "--out", f"{folder}/fbank.npy")
            return np.load(f"{folder}/fbank.npy")

    def embeddings(self, clips: Sequence[Path]) -> list[np.ndarray]:
        # The others know no speech detector.
        options = (*self.options, "--no-normalize", "--speech-only", "false")
        found = engine.embed(list(clips), program=self.program, options=options)
        return [found[clip].astype(np.float32) for clip in clips]

    def stages(self, clip: Path) -> dict[str, np.ndarray]:
        with tempfile.TemporaryDirectory() as folder:
            self._run("stages", str(clip), *self.options, "--out", folder)
            return {name: np.load(f"{folder}/{name}.npy") for name in STAGES}


class TorchEngine:
    """The PyTorch twin with the weights of a checkpoint, a .safetensors or an .onnx file."""

    def __init__(self, model: ResNet, name: str, dtype: torch.dtype = torch.float32) -> None:
        self.model, self.name, self.dtype = model.to(dtype).eval(), name, dtype

    @torch.no_grad()
    def stages(self, clip: Path) -> dict[str, np.ndarray]:
        feats = fbank(read_samples(clip))
        stages = self.model.stages(feats[None].to(self.dtype))
        return {"fbank": feats.numpy()} | {name: x[0].numpy() for name, x in stages.items()}

    @torch.no_grad()
    def embeddings(self, clips: Sequence[Path]) -> list[np.ndarray]:
        counted = progress.each(clips, len(clips), self.name)
        return [self.model(fbank(read_samples(c))[None].to(self.dtype))[0].numpy() for c in counted]


class OnnxEngine:
    """ONNX Runtime on one thread, fed with torchaudio's features."""

    def __init__(self, path: Path) -> None:
        self.name = f"onnxruntime {path.name}"
        model = onnx.load(path)
        self.input, self.output = onnx_net.Graph(model).input, model.graph.output[0].name
        self.taps = stage_outputs(model)
        known = {o.name for o in model.graph.output}
        for name in self.taps.values():
            if name not in known:
                model.graph.output.append(onnx.ValueInfoProto(name=name))
        self.session, self.tapped = _session(onnx.load(path)), _session(model)

    def stages(self, clip: Path) -> dict[str, np.ndarray]:
        feats = fbank(read_samples(clip)).numpy()
        values = self.tapped.run(list(self.taps.values()), {self.input: feats[None]})
        return {"fbank": feats} | {name: v[0] for name, v in zip(self.taps, values)}

    def embeddings(self, clips: Sequence[Path]) -> list[np.ndarray]:
        counted = progress.each(clips, len(clips), self.name)
        feats = (fbank(read_samples(c)).numpy()[None] for c in counted)
        return [self.session.run([self.output], {self.input: f})[0][0] for f in feats]


def _session(model: ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def stage_outputs(model: ModelProto) -> dict[str, str]:
    """Which value of the graph is which stage. A stage ends at the ReLU before the next stride."""
    graph = onnx_net.Graph(model)
    residual = {}  # ReLUs that follow a sum, with the number of strides before them
    strides = {graph.input: 0}
    taps = {}
    for node in model.graph.node:
        before = max((strides.get(name, 0) for name in node.input), default=0)
        before += node.op_type == "Conv" and onnx_net.stride(node) == 2
        for name in node.output:
            strides[name] = before
        if node.op_type == "Relu":
            taps.setdefault("conv1", node.output[0])
            if graph.makers[node.input[0]].op_type == "Add":
                residual[f"layer{before + 1}"] = node.output[0]
    last = graph.makers[model.graph.output[0].name]
    gemm = graph.makers[last.input[0]] if last.op_type == "Sub" else last
    return taps | residual | {"pooled": gemm.input[0], "embedding": model.graph.output[0].name}


def load_network(path: Path) -> ResNet:
    """The twin with the weights of any file that the tools read."""
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        return load({name: tensor.float() for name, tensor in load_file(path).items()})
    if path.suffix == ".onnx":
        return load(onnx_net.read(path))
    return load(checkpoint.read(path).tensors)
