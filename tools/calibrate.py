#!/usr/bin/env python3
"""Fits threshold and calibration of a model on a trial list, through the C engine.

llr = slope * cosine + offset by logistic regression at even prior odds; the threshold is where
the log-likelihood ratio is 0, so that `same_speaker` and `p >= 0.5` always agree. Writes them into
the metadata of a .safetensors model, or as keys of a configuration file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

from vptools import engine, safetensors_header
from vptools.verification import Calibration, calibration_cost, fit_calibration, read_trials

SPEECH_DIR = Path(os.environ.get("SPEECH_DIR", "../shared/audio"))


def write_config(path: Path, fitted: Calibration) -> None:
    """Adds or replaces the two keys; the rest of the file stays."""
    config = json.loads(path.read_text()) if path.exists() else {}
    config["threshold"] = round(fitted.threshold, 6)
    config["calibration"] = f"{fitted.slope:.6g},{fitted.offset:.6g}"
    path.write_text(json.dumps(config, indent=4) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--audio", type=Path, default=SPEECH_DIR, help="folder of the clips")
    parser.add_argument("--trials", type=Path, help="trial list (default: AUDIO/trials.txt)")
    parser.add_argument("--program", type=Path, default=engine.DEFAULT_PROGRAM)
    parser.add_argument("--config", type=Path, help="write here instead of into the model")
    parser.add_argument("--dry-run", action="store_true", help="print only")
    args = parser.parse_args()

    try:
        trials = read_trials(args.trials or args.audio / "trials.txt")
        files = {name: args.audio / name for t in trials for name in (t.a, t.b)}
        found = engine.embed(sorted(files.values()), args.model, args.program)
        scores = np.array([float(found[files[t.a]] @ found[files[t.b]]) for t in trials])
        same = np.array([t.same for t in trials])
        fitted = fit_calibration(scores, same)
        print(f"slope {fitted.slope:.4f}, offset {fitted.offset:.4f}, "
              f"threshold {fitted.threshold:.4f}, "
              f"Cllr {calibration_cost(scores, same, fitted):.4f} bits on {len(trials)} trials")
        if args.dry_run:
            return 0
        if args.config:
            write_config(args.config, fitted)
        elif args.model.suffix == ".safetensors":
            safetensors_header.update_metadata(args.model, {
                "threshold": f"{fitted.threshold:.6f}",
                "calibration_slope": f"{fitted.slope:.6g}",
                "calibration_offset": f"{fitted.offset:.6g}",
            })
        else:
            raise ValueError(f"{args.model} has no metadata of ours: give --config FILE")
    except (OSError, ValueError, engine.EngineError) as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
