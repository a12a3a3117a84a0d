#!/usr/bin/env python3
"""Does our engine hear with a published segmentation network what its own engine hears?

Runs pyannote's pytorch_model.bin with PyTorch, or sherpa-onnx's model.onnx with ONNX Runtime, and
our engine on the same file, on every window of a recording (16 kHz mono). Ends with 1 when a
log-probability differs by more than 1e-4 of the largest, or a frame is decided otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import soundfile

from convert import ConvertError, convert
from vptools import checkpoint, segmentation
from vptools.checkpoint import CheckpointError
from vptools.engine import DEFAULT_PROGRAM


def check(network: Path, recording: Path, program: Path) -> segmentation.Verdict:
    """The verdict; a checkpoint is converted first, as the engine needs it."""
    if network.suffix == ".onnx":
        return segmentation.judge(segmentation.onnx_windows(network), network, recording, program)
    loaded = checkpoint.open_pickle(network)
    if not checkpoint.is_segmentation(loaded):
        raise ConvertError(f"{network}: not a segmentation network")
    model = segmentation.load(checkpoint.select_segmentation(loaded, str(network)).tensors)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "converted.safetensors"
        convert(network, written, network.stem, front_end=None, quiet=True, program=program)
        return segmentation.judge(segmentation.torch_windows(model), written, recording, program)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="pytorch_model.bin or model.onnx")
    parser.add_argument("recording", type=Path, nargs="?", help="16 kHz mono (default: generated noise)")
    parser.add_argument("--program", type=Path, default=DEFAULT_PROGRAM, help="our command line program")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording = args.recording or Path(folder) / "noise.wav"
        if args.recording is None:
            soundfile.write(recording, segmentation.noise(20), segmentation.RATE_HZ, subtype="FLOAT")
        try:
            found = check(args.network, recording, args.program)
        except (CheckpointError, ConvertError, OSError, RuntimeError, ValueError) as error:
            print(f"check_segmentation: {error}", file=sys.stderr)
            return 1
    print(f"{found.n_windows} windows: off by {found.error:.1e} of the largest value; "
          f"{found.n_other} of {found.n_decided} frames decided otherwise; "
          f"speech in {100 * found.speech:.0f} %, two voices in {100 * found.overlap:.0f} % of frames")
    print("the engine agrees" if found.fits else "the engine DIFFERS")
    return 0 if found.fits else 1


if __name__ == "__main__":
    sys.exit(main())
