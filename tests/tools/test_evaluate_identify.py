"""tools/evaluate_identify.py: the service's rule on cosines worked out by hand, and the program with a stand-in for the engine."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from evaluate_identify import Rule, named, over_speakers  # noqa: E402

RULE = Rule(threshold=0.6, slope=20.0, offset=-13.0, unknown_prior=0.5)

# A speaker for each axis; clip c lies 0.2 c radians beside it, towards an axis of its own.
ENGINE = """#!{python}
import json, math, sys
if sys.argv[1] == "info":
    print(json.dumps({{"threshold": 0.6, "calibration": {{"slope": 20.0, "offset": -13.0}}}}))
    sys.exit()
for file in open(sys.argv[sys.argv.index("--list") + 1]).read().split():
    speaker, clip = (int(part[1:]) for part in file.rsplit("/", 1)[-1].removesuffix(".wav").split("-"))
    vector = [0.0] * 12
    vector[speaker], vector[8 + clip] = math.cos(0.2 * clip), math.sin(0.2 * clip)
    print(json.dumps({{"file": file, "embedding": vector}}))
"""


def posterior(cosines: list[float], rule: Rule) -> list[float]:
    """Term by term, as server/voices/identify.h has it."""
    share = (1 - rule.unknown_prior) / len(cosines)
    terms = [share * math.exp(rule.slope * cosine + rule.offset) for cosine in cosines]
    return [term / (sum(terms) + rule.unknown_prior) for term in terms]


@pytest.mark.parametrize("cosines", [[0.9, 0.1], [0.61, 0.1], [0.1, 0.66, -0.2], [0.8, 0.8], [0.7] + [0.0] * 60, [0.9] + [0.0] * 60, [0.59]])
def test_who_is_named(cosines: list[float]) -> None:
    best = max(range(len(cosines)), key=cosines.__getitem__)
    found = named(np.array([cosines]), RULE)
    assert found["threshold"][0] == (best if cosines[best] >= RULE.threshold else -1)
    is_sure = posterior(cosines, RULE)[best] > 0.5 and cosines[best] >= RULE.threshold
    assert found["posterior"][0] == (best if is_sure else -1)


def test_rates_are_means_over_speakers() -> None:
    """One who was asked often counts as much as one who was asked once, and who was never asked does not count."""
    rates = np.full((3, 3, 3), np.nan)
    rates[:, 0, 0], rates[0, 1, 0] = (1.0, 1.0, 0.5), 0.0
    rates[:, :, 1:] = 0.25
    mean, low, high = over_speakers(rates, np.random.default_rng(0), 200)[0]
    assert mean == pytest.approx((2.5 / 3 + 0) / 2) and (low, high) == (0, pytest.approx(2.5 / 3))


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = folder / "voiceprint"
    program.write_text(ENGINE.format(python=sys.executable))
    program.chmod(0o755)
    names = [f"s{speaker}-c{clip}.wav" for speaker in range(8) for clip in range(4)]
    (folder / "clips.csv").write_text("\n".join(["clip,speaker", *(f"{name},{name[:2]}" for name in names)]) + "\n")
    return subprocess.run([sys.executable, str(TOOLS / "evaluate_identify.py"), "--audio", str(folder), "--program", str(program),
                           "--rounds", "20", "--draws", "50", *options], capture_output=True, text=True, timeout=100, check=False)


def test_voices_far_apart_are_told_apart(tmp_path: Path) -> None:
    done = run(tmp_path, "--voices", "3", "7", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["3", "7"]
    assert all(rate[0] == 0 for rates in found["7"].values() for rate in rates.values())


def test_too_few_speakers_are_said(tmp_path: Path) -> None:
    done = run(tmp_path, "--voices", "8")
    assert done.returncode == 1 and "too few for 8 voices and a stranger" in done.stderr
