#!/usr/bin/env python3
"""A published model -> .safetensors, the file that the engine maps into memory.

Reads WeSpeaker's avg_model.pt and .ckpt, pyannote's pytorch_model.bin, of the embedding and of the
segmentation network, and WeSpeaker's .onnx; and a CAM++ of WeSpeaker or 3D-Speaker, whose features
--front-end names: a checkpoint becomes .safetensors, an .onnx another one that says them.
Lists every tensor it takes, drops the training head (projection.*) by name, refuses whatever it
cannot explain, and keeps the result only after the source and the written file have given the
same embeddings. Pickles are read without running anything that they name.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import soundfile
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vptools import campplus, checkpoint, onnx_net, progress, segmentation
from vptools.checkpoint import CheckpointError
from vptools.engine import DEFAULT_PROGRAM, EngineError
from vptools.engines import OurEngine
from vptools.features import RATE_HZ, fbank
from vptools.onnx_net import OnnxError
from vptools.resnet import Architecture, ResNet, load, tensors

FRAMES = (9, 17, 98, 333)
RELATIVE = 1e-5  # max|a-b| / ||b||: two float32 runs of the same weights and features
ENGINE_RELATIVE = 1e-4  # our engine computes its own features
Forward = Callable[[np.ndarray], np.ndarray]  # feats [1, T, n_mels] -> embedding [dim]


class ConvertError(Exception):
    """Why nothing was written, in a sentence."""


def read_source(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors by WeSpeaker's names, and remarks on what was left out."""
    if path.suffix == ".onnx":
        return onnx_net.read(path), ["BatchNorm folded into the convolutions stays folded: gamma 1, variance 1"]
    contents = checkpoint.read(path)
    remarks = [f"dropped, training head: {name}" for name in contents.dropped]
    if contents.counters:
        remarks.append(f"dropped: {contents.counters} num_batches_tracked, counters of the training")
    if contents.prefix:
        remarks.append(f"names stood behind '{contents.prefix}'")
    if contents.beside:
        remarks.append(f"not looked into, beside the state dict: {', '.join(contents.beside)}")
    return contents.tensors, remarks


def network(taken: dict[str, Tensor], origin: str) -> ResNet:
    """The network of exactly these tensors, every one present and consumed."""
    try:
        return load(taken)
    except (ValueError, RuntimeError) as error:  # RuntimeError: load_state_dict names the shapes
        raise ConvertError(f"{origin}: {error}") from error


def torch_forward(model: ResNet) -> Forward:
    @torch.no_grad()
    def run(feats: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(feats))[0].numpy()

    return run


def onnx_forward(path: Path) -> Forward:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda feats: session.run(None, {name: feats})[0][0]


def verify(source: Forward, written: Forward, n_mels: int) -> float:
    """Runs both on the same features; the largest max|a-b| / ||b||. Raises when they differ."""
    worst = 0.0
    rng = np.random.default_rng(1)
    for n_frames in progress.each(FRAMES, len(FRAMES), "verifying"):
        feats = (3 * rng.standard_normal((1, n_frames, n_mels))).astype(np.float32)
        expected, got = source(feats).astype(np.float64), written(feats)
        worst = max(worst, distance(got, expected, RELATIVE, f"T={n_frames}"))
    return worst


def distance(got: np.ndarray, expected: np.ndarray, bar: float, what: str) -> float:
    """max|a-b| / ||b||; above the bar, or no number at all, the written file is not kept."""
    norm = np.linalg.norm(expected)
    error = float(np.abs(got - expected).max() / norm) if norm > 0 else np.inf
    if not error <= bar:
        raise ConvertError(f"{what}: the written file is off by {error:.1e} of the norm; not kept")
    return error


def verify_engine(source: Forward, written: Path, program: Path,
                  features: Callable[[np.ndarray], Tensor] = fbank) -> float:
    """Our engine with the written file against the source, on a second of coloured noise."""
    noise = np.cumsum(np.random.default_rng(2).standard_normal(RATE_HZ))
    samples = np.diff(noise, n=1, prepend=0) + 0.05 * noise * np.hanning(RATE_HZ)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "noise.wav"
        soundfile.write(clip, samples / np.abs(samples).max() / 2, RATE_HZ, subtype="FLOAT")
        heard, _ = soundfile.read(clip, dtype="float32")
        expected = source(features(heard).numpy()[None])
        got = OurEngine(program, written).embeddings([clip])[0]
    return distance(got, expected.astype(np.float64), ENGINE_RELATIVE, "voiceprint")


def convert_segmentation(loaded: Any, source: Path, out: Path, name: str, program: Path) -> None:
    """pyannote's segmentation network, every tensor accounted for, judged by our engine."""
    contents = checkpoint.select_segmentation(loaded, str(source))
    try:
        model = segmentation.load(contents.tensors)
    except (ValueError, RuntimeError) as error:
        raise ConvertError(f"{source}: {error}") from error
    taken = segmentation.tensors(model)
    print(f"{len(taken)} tensors, {sum(t.numel() for t in taken.values())} numbers: {model.arch}")
    print("  dropped: window_ and n_, which are constants and were compared with them")
    if contents.beside:
        print(f"  not looked into, beside the state dict: {', '.join(contents.beside)}")
    metadata = {"name": name, "source": source.name, **segmentation.METADATA,
                "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest()}
    part = out.with_name(out.name + ".part")
    try:
        save_file(taken, part, metadata=metadata)
        worst = None
        if program.exists():
            with tempfile.TemporaryDirectory() as folder:
                clip = Path(folder) / "noise.wav"
                soundfile.write(clip, segmentation.noise(11), RATE_HZ, subtype="FLOAT")
                worst = segmentation.judge(segmentation.torch_windows(model), part, clip, program)
            if not worst.fits:
                raise ConvertError(f"the written file is off by {worst.error:.1e}; not kept")
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    print(f"not verified: {program} is not built" if worst is None else
          f"verified: PyTorch on the source and voiceprint on {out.name} agree within {worst.error:.0e}")
    print(f"wrote {out} ({out.stat().st_size} bytes)")


FRONT_ENDS: dict[str, Callable[[np.ndarray], Tensor]] = {"povey": campplus.features, "hamming": fbank}
CAMPPLUS = "xvector.tdnn.linear.weight"  # in a CAM++ alone


def state_of(loaded: Any) -> dict[str, Any]:
    """The state dict of a checkpoint, {} where there is none."""
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    return dict(state) if isinstance(state, dict) else {}


def write_campplus(state: dict[str, Any], part: Path, metadata: dict[str, str]) -> Forward:
    """A checkpoint -> .safetensors, every tensor accounted for; what runs the source."""
    left_out = (checkpoint.TRAINING_HEAD, checkpoint.COUNTERS)
    taken = {name: value.detach().float().contiguous() for name, value in state.items()
             if not name.startswith(left_out[0]) and not name.endswith(left_out[1])}
    try:
        model = campplus.load({**campplus.CamPlusPlus(campplus.Architecture.of(taken)).state_dict(), **taken})
    except (ValueError, RuntimeError) as error:
        raise ConvertError(str(error)) from error
    missing = {name for name in model.state_dict() if not name.endswith(left_out[1])} - taken.keys()
    if missing:
        raise ConvertError(f"the checkpoint has no {min(missing)}")
    print(f"{len(taken)} tensors, {sum(tensor.numel() for tensor in taken.values())} numbers: {model.arch}")
    save_file(taken, part, metadata=metadata)
    return torch.no_grad()(lambda feats: model(torch.from_numpy(feats))[0].numpy())


def write_campplus_onnx(source: Path, part: Path, metadata: dict[str, str]) -> Forward:
    """An .onnx with what it says of itself added; what runs it."""
    import onnx

    model = onnx.load(source)
    said = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**said, **metadata})
    part.write_bytes(model.SerializeToString())
    return onnx_forward(source)


def convert_campplus(source: Path, state: dict[str, Any], out: Path, name: str, front_end: str | None,
                     program: Path) -> None:
    """A CAM++, kept when our engine says the same with it; state is empty for an .onnx."""
    if front_end is None:
        raise ConvertError(f"{source} is a CAM++, which does not say what features it was trained on: "
                           "--front-end povey (3D-Speaker) or hamming (WeSpeaker)")
    if not state and out.suffix != ".onnx":
        raise ConvertError(f"a CAM++ in ONNX stays ONNX: name the file to write, --out {source.stem}-{front_end}.onnx")
    metadata = {"name": name, "front_end": front_end, "source": source.name,
                "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest()}
    part = out.with_name(out.name + ".part")
    try:
        runs = write_campplus(state, part, metadata) if state else write_campplus_onnx(source, part, metadata)
        ours = verify_engine(runs, part, program, FRONT_ENDS[front_end]) if program.exists() else None
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    print(f"not verified: {program} is not built" if ours is None else
          f"verified: the source and voiceprint on {out.name} agree within {ours:.0e} of the norm")
    print(f"wrote {out} ({out.stat().st_size} bytes)")


def is_campplus_onnx(source: Path) -> bool:
    """Its dense layers convolve along time alone, with kernels [out, in, taps]; a ResNet's all have four dimensions."""
    import onnx

    if source.suffix != ".onnx":
        return False
    try:
        graph = onnx.load(source).graph
    except Exception:  # a damaged file is named by the reader of ResNets
        return False
    kernels = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    return any(len(tensor.dims) == 3 for tensor in graph.initializer if tensor.name in kernels)


def describe(arch: Architecture) -> str:
    block = "bottleneck" if arch.bottleneck else "basic"
    blocks = " ".join(map(str, arch.blocks))
    return f"{block} blocks {blocks}, {arch.channels} channels, {arch.n_mels} mels, {arch.dim} dimensions"


def convert(source: Path, out: Path, name: str, front_end: str | None, quiet: bool, program: Path) -> None:
    loaded = checkpoint.open_pickle(source) if source.suffix != ".onnx" else None
    if checkpoint.is_segmentation(loaded):
        convert_segmentation(loaded, source, out, name, program)
        return
    if CAMPPLUS in state_of(loaded) or is_campplus_onnx(source):
        convert_campplus(source, state_of(loaded), out, name, front_end, program)
        return
    taken, remarks = read_source(source)
    model = network(taken, str(source))
    for key, tensor in taken.items():
        if not quiet:
            print(f"  {key:40s} {list(tensor.shape)}")
    print(f"{len(taken)} tensors of {len(tensors(model))}: {describe(model.arch)}")
    print("".join(f"  {remark}\n" for remark in remarks), end="")
    metadata = {
        "name": name,
        "source": source.name,
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    part = out.with_name(out.name + ".part")
    try:
        save_file(taken, part, metadata=metadata)
        runs = onnx_forward(source) if source.suffix == ".onnx" else torch_forward(model)
        written = network(load_file(part), str(out))
        worst = verify(runs, torch_forward(written), model.arch.n_mels)
        ours = verify_engine(runs, part, program) if program.exists() else None
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    engine = "ONNX Runtime" if source.suffix == ".onnx" else "PyTorch"
    print(f"verified: {engine} on the source and PyTorch on {out.name} agree within {worst:.0e} of the norm")
    if ours is None:
        print(f"not verified with our engine: {program} is not built")
    else:
        print(f"verified: {engine} on the source and voiceprint on {out.name} agree within {ours:.0e}")
    print(f"wrote {out} ({out.stat().st_size} bytes)")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="avg_model.pt, .ckpt, pytorch_model.bin or .onnx")
    parser.add_argument("-o", "--out", type=Path, help="the file to write (default: beside the source)")
    parser.add_argument("--name", help="the model's name in /info (default: the source's)")
    parser.add_argument("--front-end", choices=sorted(FRONT_ENDS), help="of a CAM++: what it was trained on")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--program", type=Path, default=DEFAULT_PROGRAM, help="our command line program")
    parser.add_argument("-q", "--quiet", action="store_true", help="count the tensors, do not list them")
    args = parser.parse_args(argv)
    out = args.out or args.source.with_suffix(".safetensors")
    try:
        if out.exists() and not args.force:
            raise ConvertError(f"{out} exists; --force replaces it")
        convert(args.source, out, args.name or args.source.stem, args.front_end, args.quiet, args.program)
    except (ConvertError, CheckpointError, EngineError, OnnxError, OSError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
