"""`python tools/train prepare|run|whiten|export|baselines`: the training of the fallback model, step by step."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# Run as a folder, Python puts that folder on the path; the package is found from the one above.
sys.path[0] = str(Path(__file__).resolve().parent.parent)


def main() -> None:
    from train import baselines, export, prepare, run, whiten

    parser = argparse.ArgumentParser(
        prog="tools/train", description="Train the fallback speaker model (see tools/train/README.md)."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in (("prepare", prepare), ("run", run), ("whiten", whiten), ("export", export),
                         ("baselines", baselines)):
        text = str(module.__doc__)
        sub = commands.add_parser(name, help=text.splitlines()[0], description=text)
        module.add_arguments(sub)
        sub.set_defaults(main=module.main)
    args = parser.parse_args()
    args.main(args)


if __name__ == "__main__":
    main()
