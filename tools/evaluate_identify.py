#!/usr/bin/env python3
"""How often the rule of /identify names strangers, misses known voices and takes one for another.

In each round N speakers drawn by lot are enrolled with a few clips each; their other clips and those of all
other speakers are asked for. Beside the posterior over N voices and a stranger stands a plain threshold on
the best cosine, the model's own. Rates are means of the speakers' own rates, intervals are a bootstrap over
speakers. Embeddings come through the C engine.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vptools import engine
from vptools.verification import Floats

SPEECH_DIR = Path(os.environ.get("SPEECH_DIR", "../shared/audio"))
RULES = ("posterior", "threshold")
RATES = ("strangers named", "known missed", "known mistaken")


@dataclass(frozen=True)
class Rule:
    """What /identify decides by: server/voices/identify.c."""

    threshold: float
    slope: float
    offset: float
    unknown_prior: float


@dataclass(frozen=True)
class Voices:
    names: list[str]
    clips: list[Floats]  # of each speaker, [n, dim], unit length


def read_voices(folders: list[Path], model: Path | None, program: Path, jobs: int) -> Voices:
    """Every clip of the folders' clips.csv; a speaker's name counts within its folder."""
    speakers: dict[str, list[Path]] = {}
    for number, folder in enumerate(folders):
        with (folder / "clips.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                speakers.setdefault(f"{number}/{row['speaker']}", []).append(folder / row["clip"])
    files = [file for clips in speakers.values() for file in clips]
    embeddings = engine.embed(files, model, program, jobs)
    names = sorted(speakers)
    return Voices(names, [np.array([embeddings[file] for file in speakers[name]]) for name in names])


def named(cosines: Floats, rule: Rule) -> dict[str, Floats]:
    """[n, N] cosines of n recordings with N voices -> for each rule who is named, [n]; -1: nobody."""
    best = cosines.argmax(axis=1)
    top = cosines[np.arange(len(cosines)), best]
    llr = rule.slope * cosines + rule.offset + np.log((1 - rule.unknown_prior) / cosines.shape[1])
    terms = np.column_stack([llr, np.full(len(llr), np.log(rule.unknown_prior))])
    total = np.logaddexp.reduce(terms, axis=1)
    is_probable = llr[np.arange(len(llr)), best] - total > np.log(0.5)
    is_similar = top >= rule.threshold
    return {"posterior": np.where(is_similar & is_probable, best, -1), "threshold": np.where(is_similar, best, -1)}


def one_round(voices: Voices, n_voices: int, n_clips: int, rule: Rule, rng: np.random.Generator) -> dict[str, Floats]:
    """For each rule the rates of every speaker, [speakers, RATES]; NaN where a speaker was not asked for that."""
    eligible = [i for i, clips in enumerate(voices.clips) if len(clips) > n_clips]
    enrolled = rng.permutation(eligible)[:n_voices]
    place = {int(speaker): at for at, speaker in enumerate(enrolled)}
    means, left = [], dict(enumerate(voices.clips))
    for speaker in enrolled:
        order = rng.permutation(len(voices.clips[speaker]))
        mean = voices.clips[speaker][order[:n_clips]].mean(axis=0)
        means.append(mean / np.linalg.norm(mean))
        left[int(speaker)] = voices.clips[speaker][order[n_clips:]]
    rates = {name: np.full((len(voices.names), len(RATES)), np.nan) for name in RULES}
    for speaker, clips in left.items():
        for name, found in named(clips @ np.array(means).T, rule).items():
            if speaker in place:
                rates[name][speaker, 1:] = np.mean(found < 0), np.mean((found >= 0) & (found != place[speaker]))
            else:
                rates[name][speaker, 0] = np.mean(found >= 0)
    return rates


def over_speakers(rates: Floats, rng: np.random.Generator, n_draws: int) -> list[tuple[float, float, float]]:
    """[rounds, speakers, RATES] -> the mean over speakers of each rate, and its 95 % interval."""
    found = []
    for rate in np.moveaxis(rates, 2, 0):
        asked = ~np.isnan(rate).all(axis=0)
        of_speakers = np.nanmean(rate[:, asked], axis=0)
        draws = rng.choice(of_speakers, (n_draws, len(of_speakers))).mean(axis=1)
        low, high = np.percentile(draws, [2.5, 97.5])
        found.append((float(of_speakers.mean()), float(low), float(high)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, nargs="+", default=[SPEECH_DIR], help="folders of clips with clips.csv")
    parser.add_argument("--model", type=Path, help="model file (default: the engine's own)")
    parser.add_argument("--program", type=Path, default=engine.DEFAULT_PROGRAM)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--voices", type=int, nargs="+", default=[10, 50, 125], help="how many are enrolled")
    parser.add_argument("--clips", type=int, default=2, help="that each is enrolled with")
    parser.add_argument("--unknown-prior", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--draws", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    try:
        info = engine.info(args.model, args.program)
        if info["calibration"] is None or info["threshold"] is None:
            raise ValueError("the model has no threshold or no calibration")
        rule = Rule(info["threshold"], info["calibration"]["slope"], info["calibration"]["offset"], args.unknown_prior)
        voices = read_voices(args.audio, args.model, args.program, args.jobs)
        n_eligible = sum(len(clips) > args.clips for clips in voices.clips)
        if max(args.voices) > n_eligible or max(args.voices) >= len(voices.names):
            raise ValueError(f"{n_eligible} of {len(voices.names)} speakers have more than {args.clips} clips: too few for {max(args.voices)} voices and a stranger")
    except (OSError, ValueError, KeyError, engine.EngineError) as error:
        print(f"evaluate_identify: {error}", file=sys.stderr)
        return 1
    rng = np.random.default_rng(1)
    found: dict[int, dict[str, dict[str, tuple[float, float, float]]]] = {}
    for n in args.voices:
        rounds = [one_round(voices, n, args.clips, rule, rng) for _ in range(args.rounds)]
        found[n] = {name: dict(zip(RATES, over_speakers(np.array([r[name] for r in rounds]), rng, args.draws))) for name in RULES}
    if args.json:
        print(json.dumps(found, indent=1))
        return 0
    print(f"{len(voices.names)} speakers, {sum(map(len, voices.clips))} clips; {args.clips} clips a voice, {args.rounds} rounds; % [95 %]")
    print(f"{'voices':>6} {'rule':10}" + "".join(f"{rate:>22}" for rate in RATES))
    for n, of_rules in found.items():
        for name, rates in of_rules.items():
            print(f"{n:6} {name:10}" + "".join(f"{f'{100 * r:.2f} [{100 * low:.1f}-{100 * high:.1f}]':>22}" for r, low, high in rates.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
