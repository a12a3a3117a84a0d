"""tools/evaluate.py and tools/calibrate.py from the command line, with a stand-in for the engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"

# Speaker s01 lies near the first axis, s02 near the second, and so on; the clip turns it a little.
ENGINE = """#!{python}
import json, math, sys
listed = open(sys.argv[sys.argv.index("--list") + 1]).read().split()
for file in listed:
    speaker, clip = (int(part[1:]) for part in file.rsplit("/", 1)[-1].removesuffix(".wav").split("-"))
    vector = [0.0] * 8
    vector[speaker % 4], vector[4 + clip] = math.cos(0.4 * clip), math.sin(0.4 * clip)
    print(json.dumps({{"file": file, "embedding": vector, "norm": 1, "frames": 1, "duration_s": 1}}))
"""


@pytest.fixture(name="corpus")
def make_corpus(tmp_path: Path) -> Path:
    engine = tmp_path / "voiceprint"
    engine.write_text(ENGINE.format(python=sys.executable))
    engine.chmod(0o755)
    names = [f"s{speaker:02}-c{clip}.wav" for speaker in range(4) for clip in range(3)]
    rows = [f"{name},{name[:3]},{'odd' if int(name[2]) % 2 else 'even'}" for name in names]
    (tmp_path / "clips.csv").write_text("\n".join(["clip,speaker,corpus", *rows]) + "\n")
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    lines = [f"{a} {b} {int(a[:3] == b[:3])}" for a, b in pairs]
    (tmp_path / "trials.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def run(tool: str, corpus: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TOOLS / tool), "--audio", str(corpus), "--program",
                           str(corpus / "voiceprint"), *options],
                          capture_output=True, text=True, timeout=100, check=False)


def test_error_rates_by_corpus(corpus: Path) -> None:
    done = run("evaluate.py", corpus, "--json", "--draws", "50")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["all", "even", "odd"]
    assert (found["all"]["trials"], found["all"]["same"]) == (66, 12)
    assert found["all"]["eer"] == 0 and found["even"]["trials"] == 15
    table = run("evaluate.py", corpus, "--draws", "50").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["corpus", "all", "even", "odd"]


def test_pictures(corpus: Path) -> None:
    pytest.importorskip("matplotlib", reason="left out: pictures need matplotlib (make venv)")
    done = run("evaluate.py", corpus, "--draws", "50", "--plots", str(corpus / "plots"))
    assert done.returncode == 0, done.stderr
    for name in ("det.png", "scores.png"):
        assert (corpus / "plots" / name).read_bytes().startswith(b"\x89PNG\r\n")


def test_an_unknown_clip_is_named(corpus: Path) -> None:
    with (corpus / "trials.txt").open("a") as file:
        file.write("s00-c0.wav s99-c0.wav 0\n")
    done = run("evaluate.py", corpus)
    assert done.returncode == 1 and "s99-c0.wav stands in the trials" in done.stderr


def test_calibration_goes_into_a_configuration(corpus: Path) -> None:
    config = corpus / "config.json"
    config.write_text('{"workers": 2}')
    done = run("calibrate.py", corpus, "--model", "any.onnx", "--config", str(config))
    assert done.returncode == 0, done.stderr
    written = json.loads(config.read_text())
    slope, offset = (float(word) for word in written["calibration"].split(","))
    assert written["workers"] == 2 and slope > 0
    assert written["threshold"] == pytest.approx(-offset / slope, abs=1e-3)


def test_a_model_without_metadata_needs_a_configuration(corpus: Path) -> None:
    done = run("calibrate.py", corpus, "--model", "any.onnx")
    assert done.returncode == 1 and "give --config FILE" in done.stderr
