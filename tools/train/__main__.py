"""`python tools/train COMMAND`: the training of the fallback model, of the speech detector and of the TS-VAD network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# Run as a folder, Python puts that folder on the path; the package is found from the one above.
sys.path[0] = str(Path(__file__).resolve().parent.parent)


def main() -> None:
    from train import baselines, export, left_out, prepare, run, whiten, whole
    from train.tsvad import export as tsvad_export
    from train.tsvad import prepare as tsvad_prepare
    from train.tsvad import run as tsvad_run
    from train.vad import prepare as vad_prepare
    from train.vad import run as vad_run

    parser = argparse.ArgumentParser(prog="tools/train", description="Train a network of models/ (README.md).")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in (
        ("whole", whole),
        ("prepare", prepare), ("left-out", left_out), ("run", run), ("whiten", whiten), ("export", export),
        ("baselines", baselines),
        ("vad-prepare", vad_prepare), ("vad-run", vad_run),
        ("tsvad-prepare", tsvad_prepare), ("tsvad-run", tsvad_run), ("tsvad-export", tsvad_export),
    ):  # fmt: skip
        text = str(module.__doc__)
        sub = commands.add_parser(name, help=text.splitlines()[0], description=text)
        module.add_arguments(sub)
        sub.set_defaults(main=module.main)
    args = parser.parse_args()
    args.main(args)


if __name__ == "__main__":
    main()
