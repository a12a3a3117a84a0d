#!/usr/bin/env python3
"""Error rates of a model on a trial list, through the C engine.

Prints EER and minDCF(0.01), overall and per corpus, with 95 % intervals from a bootstrap over
speakers, and draws the DET curve and the score histogram when asked.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np

from vptools import engine
from vptools.verification import (
    Bools,
    Curve,
    Floats,
    Trial,
    equal_error_rate,
    error_curve,
    min_dcf,
    read_trials,
    speaker_bootstrap,
)

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)  # ticks of the DET curve
SPEECH_DIR = Path(os.environ.get("SPEECH_DIR", "../shared/audio"))


def read_clips(path: Path) -> dict[str, tuple[str, str]]:
    """clip -> (speaker, corpus)."""
    with path.open(newline="") as file:
        return {row["clip"]: (row["speaker"], row["corpus"]) for row in csv.DictReader(file)}


def score_trials(trials: list[Trial], embeddings: dict[str, Floats]) -> Floats:
    return np.array([float(embeddings[t.a] @ embeddings[t.b]) for t in trials])


def figures(
    scores: Floats, same: Bools, speakers: tuple[list[str], list[str]], n_draws: int
) -> dict[str, object]:
    curve = error_curve(scores, same)
    draws = speaker_bootstrap(scores, same, speakers, n_draws)
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    return {
        "trials": len(scores),
        "same": int(same.sum()),
        "eer": equal_error_rate(curve),
        "eer_interval": [float(low[0]), float(high[0])],
        "min_dcf": min_dcf(curve),
        "min_dcf_interval": [float(low[1]), float(high[1])],
    }


def by_group(
    trials: list[Trial], scores: Floats, clips: dict[str, tuple[str, str]], n_draws: int
) -> dict[str, dict[str, object]]:
    """Figures for all trials, for those inside each corpus, and for those across corpora."""
    same = np.array([t.same for t in trials])
    sides = ([clips[t.a][0] for t in trials], [clips[t.b][0] for t in trials])
    corpora = [(clips[t.a][1], clips[t.b][1]) for t in trials]
    groups = {"all": np.ones(len(trials), dtype=bool)}
    for name in sorted({corpus for pair in corpora for corpus in pair}):
        groups[name] = np.array([pair == (name, name) for pair in corpora])
    found = {}
    for name, chosen in groups.items():
        if same[chosen].any() and (~same[chosen]).any():
            picked = tuple([s for s, c in zip(side, chosen) if c] for side in sides)
            found[name] = figures(scores[chosen], same[chosen], picked, n_draws)
    return found


def print_table(found: dict[str, dict[str, object]]) -> None:
    print(f"{'corpus':14} {'trials':>6} {'same':>5} {'EER %':>6} {'95 %':>13} {'minDCF':>7} {'95 %':>13}")
    for name, f in found.items():
        eer_low, eer_high = (100 * v for v in f["eer_interval"])  # type: ignore[attr-defined]
        dcf_low, dcf_high = f["min_dcf_interval"]  # type: ignore[misc]
        print(f"{name:14} {f['trials']:6} {f['same']:5} {100 * f['eer']:6.2f} "  # type: ignore[operator]
              f"{eer_low:6.2f}-{eer_high:<6.2f} {f['min_dcf']:7.3f} {dcf_low:6.3f}-{dcf_high:<6.3f}")


def deviate(rates: Floats) -> Floats:
    """Rates as normal deviates; 0 and 1 land beyond the edge of the picture."""
    inverse = NormalDist().inv_cdf
    return np.vectorize(lambda rate: inverse(min(max(rate, 1e-6), 1 - 1e-6)))(rates)


def draw(folder: Path, curve: Curve, scores: Floats, same: Bools) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    # A DET curve has both rates on the scale of normal deviates: two normal distributions give a line.
    figure, axes = pyplot.subplots(figsize=(5, 5), layout="constrained")
    axes.plot(deviate(curve.false_alarm), deviate(curve.miss), drawstyle="steps-post")
    axes.plot(deviate(np.array([RATES[0], RATES[-1]])), deviate(np.array([RATES[0], RATES[-1]])), ":", color="grey")
    eer = equal_error_rate(curve)
    axes.plot(*deviate(np.array([[eer], [eer]])), "o", color="black", label=f"EER {100 * eer:.1f} %")
    ticks, labels = deviate(np.array(RATES)), [f"{100 * rate:g}" for rate in RATES]
    axes.set(xticks=ticks, yticks=ticks, xticklabels=labels, yticklabels=labels, title="DET",
             xlim=(ticks[0], ticks[-1]), ylim=(ticks[0], ticks[-1]),
             xlabel="false acceptance, %", ylabel="false rejection, %")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    figure.savefig(folder / "det.png", dpi=110)

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    bins = np.linspace(scores.min(), scores.max(), 50).tolist()
    axes.hist(scores[~same], bins, density=True, alpha=0.6, label="different speakers")
    axes.hist(scores[same], bins, density=True, alpha=0.6, label="same speaker")
    axes.set(xlabel="cosine", ylabel="density", title="scores")
    axes.legend()
    figure.savefig(folder / "scores.png", dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="model file (default: the engine's own)")
    parser.add_argument("--audio", type=Path, default=SPEECH_DIR, help="folder of the clips")
    parser.add_argument("--trials", type=Path, help="trial list (default: AUDIO/trials.txt)")
    parser.add_argument("--clips", type=Path, help="clip, speaker, corpus (default: AUDIO/clips.csv)")
    parser.add_argument("--program", type=Path, default=engine.DEFAULT_PROGRAM)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws")
    parser.add_argument("--plots", type=Path, help="folder for det.png and scores.png")
    parser.add_argument("--plain", action="store_true", help="embed clips whole, pauses and all")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()

    try:
        trials = read_trials(args.trials or args.audio / "trials.txt")
        clips = read_clips(args.clips or args.audio / "clips.csv")
        names = sorted({name for t in trials for name in (t.a, t.b)})
        unknown = [name for name in names if name not in clips]
        if unknown:
            raise ValueError(f"{unknown[0]} stands in the trials but not in the clip table")
        files = {name: args.audio / name for name in names}
        embeddings = engine.embed(list(files.values()), args.model, args.program, args.jobs,
                                  ("--speech-only", "false") if args.plain else ())
    except (OSError, ValueError, engine.EngineError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    scores = score_trials(trials, {name: embeddings[file] for name, file in files.items()})
    found = by_group(trials, scores, clips, args.draws)
    if args.json:
        print(json.dumps(found, indent=1))
    else:
        print_table(found)
    if args.plots:
        same = np.array([t.same for t in trials])
        draw(args.plots, error_curve(scores, same), scores, same)
    return 0


if __name__ == "__main__":
    sys.exit(main())
