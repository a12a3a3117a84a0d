#!/usr/bin/env python3
"""Makes tests/golden/der: RTTM of invented conversations, and what pyannote.metrics says of them.

Needs pyannote.metrics (PyPI, 4.2.0 when the files were made), which is not among the tools'
requirements: make a virtual environment for it. With --check nothing is written: the committed
numbers are compared with new ones.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import warnings
from pathlib import Path

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "der"
N_RANDOM = 200
SAME_S = 1e-5
# Name -> collar on each side (pyannote.metrics takes the sum), overlap skipped, limited to the UEM.
SETTINGS: dict[str, tuple[float, bool, bool]] = {
    "plain": (0.0, False, False),
    "collar": (0.25, False, False),
    "skip-overlap": (0.0, True, False),
    "uem": (0.0, False, True),
    "all": (0.1, True, True),
}
Turn = tuple[float, float, str]  # start, duration, speaker
Conversation = tuple[list[Turn], list[Turn], list[tuple[float, float]]]

REFERENCE: list[Turn] = [(0.0, 4.0, "A"), (5.0, 3.0, "B"), (8.0, 2.0, "A")]
OVERLAPPED: list[Turn] = [(0.0, 5.0, "A"), (3.0, 4.0, "B"), (4.0, 0.5, "C")]
WHOLE = [(0.0, 12.0)]
HAND_MADE: dict[str, Conversation] = {
    "perfect": (REFERENCE, REFERENCE, WHOLE),
    "swapped": (REFERENCE, [(s, d, {"A": "1", "B": "0"}[n]) for s, d, n in REFERENCE], WHOLE),
    "silent": (REFERENCE, [], WHOLE),
    "nobody": ([], REFERENCE, WHOLE),
    "one-label": (REFERENCE, [(0.0, 10.0, "x")], WHOLE),
    "missed-overlap": (OVERLAPPED, [(0.0, 4.0, "x"), (4.0, 3.0, "y")], [(0.0, 8.0)]),
    "split-speaker": (REFERENCE, [(0.0, 2.0, "x"), (2.0, 2.0, "y"), (5.0, 5.0, "z")], WHOLE),
    "beside-itself": ([(0.0, 3.0, "A"), (2.0, 3.0, "A"), (4.0, 3.0, "B")],
                      [(0.0, 5.0, "x"), (1.0, 1.0, "x"), (5.0, 2.0, "y")], WHOLE),
    # the largest pair is not in the best mapping: a greedy one is wrong here
    "not-greedy": ([(0.0, 10.0, "A"), (10.0, 9.0, "B")], [(0.0, 1.0, "y"), (1.0, 18.0, "x")],
                   [(0.0, 19.0)]),
    "greedy-trap": ([(0.0, 19.0, "A"), (19.0, 9.0, "B")],
                    [(0.0, 9.0, "y"), (9.0, 10.0, "x"), (19.0, 9.0, "x")], [(0.0, 28.0)]),
    "inside-the-collar": ([(1.0, 0.15, "A"), (2.0, 3.0, "B")], [(1.0, 4.0, "x")], [(0.0, 6.0)]),
    "cut-by-uem": (REFERENCE, [(0.5, 9.0, "x")], [(1.0, 2.5), (2.0, 3.0), (7.5, 8.5)]),
    "MÉO-trñ": ([(0.0, 1.0, "MÉO069"), (1.0, 1.0, "日本")], [(0.5, 1.5, "ñ")], [(0.0, 2.0)]),
}


def some_turns(rng: random.Random, names: list[str], length_s: float) -> list[Turn]:
    turns: list[Turn] = []
    at = rng.uniform(0, 2)
    while at < length_s:
        duration = rng.choice((rng.uniform(0.05, 0.6), rng.uniform(0.5, 5)))
        turns.append((round(at, 3), round(duration, 3), rng.choice(names)))
        at += duration + rng.choice((rng.uniform(-2.0, 0.0), 0.0, rng.uniform(0.0, 2.0)))
        at = max(at, turns[-1][0] + 0.01)
    return turns


def noisy_copy(rng: random.Random, turns: list[Turn], n_labels: int) -> list[Turn]:
    """What a system makes of it: boundaries moved, turns lost, labels confused."""
    label = {name: f"spk{i % n_labels}" for i, name in enumerate(sorted({t[2] for t in turns}))}
    out: list[Turn] = []
    for start, duration, name in turns:
        if rng.random() < 0.1:
            continue
        moved = max(0.0, round(start + rng.gauss(0, 0.2), 3))
        longer = max(0.01, round(duration + rng.gauss(0, 0.3), 3))
        wrong = rng.random() < 0.2
        out.append((moved, longer, f"spk{rng.randrange(n_labels)}" if wrong else label[name]))
    return out


def random_conversation(seed: int) -> Conversation:
    rng = random.Random(seed)
    length_s = rng.uniform(4, 25)
    names = [f"{chr(65 + i)}{seed}" for i in range(rng.randint(1, 6))]
    reference = some_turns(rng, names, length_s)
    if rng.random() < 0.5:
        hypothesis = noisy_copy(rng, reference, rng.randint(1, 6))
    else:
        hypothesis = some_turns(rng, [f"s{i}" for i in range(rng.randint(1, 6))], length_s)
    edges = sorted(round(rng.uniform(0, length_s), 3) for _ in range(2 * rng.randint(1, 3)))
    return reference, hypothesis, list(zip(edges[::2], edges[1::2]))


def annotation(turns: list[Turn]) -> Annotation:
    out = Annotation()
    for i, (start, duration, name) in enumerate(turns):
        out[Segment(start, start + duration), i] = name
    return out


def judge(conversation: Conversation, setting: str) -> list[float]:
    """miss, false alarm, confusion, total in seconds, and the rate."""
    collar, skip, limited = SETTINGS[setting]
    reference, hypothesis, uem = conversation
    metric = DiarizationErrorRate(collar=2 * collar, skip_overlap=skip)
    extent = Timeline([Segment(s, e) for s, e in uem]) if limited else None
    found = metric(annotation(reference), annotation(hypothesis), uem=extent, detailed=True)
    parts = ("missed detection", "false alarm", "confusion", "total")
    return [round(float(found[part]), 6) for part in parts] + [round(float(found[metric.name]), 9)]


def rttm(conversations: dict[str, Conversation], side: int) -> str:
    """Nine fields or ten, blanks or tabs, as files have them."""
    lines = [";; invented"]
    for number, (name, conversation) in enumerate(conversations.items()):
        blank = "\t" if number % 3 == 1 else " "
        for start, duration, speaker in conversation[side]:  # type: ignore[misc]
            fields = ["SPEAKER", name, "1", f"{start:.3f}", f"{duration:.3f}", "<NA>", "<NA>",
                      speaker, "<NA>", "<NA>"]
            lines.append(blank.join(fields[: 9 + number % 2]))
    return "\n".join(lines) + "\n"


def make() -> dict[str, str]:
    """Every golden file's name and text."""
    conversations = dict(HAND_MADE)
    conversations |= {f"random{i:03}": random_conversation(i) for i in range(N_RANDOM)}
    expected = {setting: {name: judge(c, setting) for name, c in conversations.items()}
                for setting in SETTINGS}
    uem = "".join(f"{name} 1 {start:.3f} {end:.3f}\n" for name, c in conversations.items()
                  for start, end in c[2])
    rows = ",\n".join(
        f' "{setting}": {{\n' + ",\n".join(f'  {json.dumps(n, ensure_ascii=False)}: {v}'
                                            for n, v in cases.items()) + "\n }"
        for setting, cases in expected.items())
    return {"ref.rttm": rttm(conversations, 0), "hyp.rttm": rttm(conversations, 1),
            "scored.uem": uem, "expected.json": "{\n" + rows + "\n}\n"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    files = make()
    if not args.check:
        GOLDEN.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (GOLDEN / name).write_text(text)
        print(f"{len(files)} files, {sum(len(t.encode()) for t in files.values())} bytes")
    worst = 0.0
    new, old = json.loads(files["expected.json"]), json.loads((GOLDEN / "expected.json").read_text())
    for setting, cases in new.items():
        for name, values in cases.items():
            worst = max(worst, *(abs(a - b) for a, b in zip(values, old[setting][name], strict=True)))
    same = all(files[n] == (GOLDEN / n).read_text() for n in files if n != "expected.json")
    print(f"largest difference {worst:.1e}; RTTM and UEM {'as made anew' if same else 'differ'}")
    return 0 if same and worst <= SAME_S else 1


if __name__ == "__main__":
    sys.exit(main())
