"""voiceprint diarize: its formats, options, many recordings, and labelled conversations."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import PROGRAM, ROOT, golden_signal, write_wav

DIAR_DIR = Path(os.environ.get("DIAR_DIR", ROOT.parent / "shared" / "diar"))
LINE = re.compile(r"SPEAKER talk 1 \d+\.\d{3} \d+\.\d{3} <NA> <NA> SPEAKER_\d\d <NA> <NA>")


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Two sounds in turn, four seconds each, and where they are."""
    one = golden_signal(398)
    other = np.tile(golden_signal(998)[::-1], 1)[:len(one)]
    write_wav(tmp_path / "talk.wav", np.concatenate([one, other, one, other]))
    (tmp_path / "speech.rttm").write_text(
        "SPEAKER talk 1 0.5 3.0 <NA> <NA> a <NA> <NA>\nSPEAKER talk 1 3.2 12.0 <NA> <NA> b <NA> <NA>\n")
    return tmp_path / "talk.wav"


def spoken(talk: Path) -> tuple[str, str]:
    return "--speech", str(talk.with_name("speech.rttm"))


def test_json(run, talk):
    done = run("diarize", "--json", "--num-speakers", "2", *spoken(talk), talk)
    assert done.returncode == 0 and done.stderr == ""
    answer = json.loads(done.stdout)
    assert answer["num_speakers"] == 2 and answer["num_speakers_from"] == "request"
    assert answer["engine"] == "vad" and answer["segmentation"] is None
    assert "no_overlap_detection" in answer["warnings"]
    assert [s["speaker"] for s in answer["speakers"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert sum(s["share"] for s in answer["speakers"]) == pytest.approx(1)
    assert answer["segments"][0]["start"] == 0.5
    assert answer["speech_s"] == pytest.approx(sum(s["end"] - s["start"] for s in answer["segments"]))
    assert "embedding" not in answer["speakers"][0]
    more = json.loads(run("diarize", "--json", "--embeddings", "--num-speakers", "2", *spoken(talk),
                          talk).stdout)
    assert np.linalg.norm(more["speakers"][0]["embedding"]) == pytest.approx(1, abs=1e-5)
    assert more["segments"] == answer["segments"]


def test_rttm_table_and_files(run, talk, tmp_path):
    rttm = run("diarize", "--rttm", *spoken(talk), talk)
    assert rttm.returncode == 0 and rttm.stdout
    assert all(LINE.fullmatch(line) for line in rttm.stdout.splitlines())
    table = run("diarize", *spoken(talk), talk)
    assert table.stdout.startswith(f"{talk}: 16.") and "SPEAKER_00" in table.stdout
    out = tmp_path / "out"
    out.mkdir()
    done = run("diarize", "--rttm", "-o", out, *spoken(talk), talk)
    assert done.returncode == 0 and done.stdout == ""
    assert (out / "talk.rttm").read_text() == rttm.stdout
    gone = run("diarize", "--rttm", "-o", tmp_path / "gone", talk)
    assert gone.returncode == 1 and "gone/talk.rttm" in gone.stderr


def test_stdin(talk):
    environment = {**os.environ, "VOICEPRINT_MODEL": str(ROOT / "tests/golden/models/small.safetensors")}
    done = subprocess.run([PROGRAM, "diarize", "--json", "-"], input=talk.read_bytes(), env=environment,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["file"] == "-"


def test_many_recordings_in_order_and_the_same_on_many_threads(run, talk, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"nothing")
    silent = write_wav(tmp_path / "silent.wav", np.zeros(16000 * 6))
    names = [talk, bad, silent, talk]
    one = run("diarize", "--json", *spoken(talk), *names)
    many = run("diarize", "--json", "--jobs", "4", *spoken(talk), *names)
    assert one.returncode == many.returncode == 1
    assert "bad.wav" in one.stderr and "2 of 4 recordings failed" in one.stderr
    assert "has no turns of 'silent', but of 'talk'" in one.stderr  # --speech: not to be taken for silence
    assert one.stdout == many.stdout
    answers = [json.loads(line) for line in one.stdout.splitlines()]
    assert [Path(a["file"]).name for a in answers] == ["talk.wav", "talk.wav"]
    nobody = json.loads(run("diarize", "--json", silent).stdout)
    assert nobody["segments"] == [] and "no_speech" in nobody["warnings"]


@pytest.mark.parametrize("options", [
    ("--num-speakers", "0"), ("--num-speakers", "21"), ("--threshold", "nan"), ("--engine", "best"),
    ("--min-on", "-1"), ("--max-duration", "0"), ("--truncate",),
])
def test_usage(run, talk, options):
    done = run("diarize", *options, talk)
    assert done.returncode == 2 and options[0] in done.stderr


@pytest.mark.parametrize("options, word", [
    (("--num-speakers", "2", "--max-speakers", "3"), "not both"),
    (("--min-speakers", "4", "--max-speakers", "3"), "min_speakers"),
    (("--threshold", "1.5"), "threshold"), (("--min-off", "6"), "min_off"),
    (("--engine", "segmentation"), "segmentation"), (("--max-duration", "10"), "longer than 10 s"),
])
def test_refused(run, talk, options, word):
    done = run("diarize", *options, talk)
    assert done.returncode == 1 and word in done.stderr


def total(out: str) -> float:
    return float(next(line for line in out.splitlines() if line.startswith("TOTAL")).split()[1])


SEGMENTATION = ROOT / "models" / "segmentation.safetensors"
REFERENCE = object()  # stands for the labels in a list of options


def error_rate(tmp_path: Path, folder: str, *options) -> tuple[float, str]:
    """DER at collar 0, overlap scored, with the model in the box; and the whole table."""
    if not (DIAR_DIR / folder).is_dir():
        assert os.environ.get("RECORDINGS") != "required", "DIAR_DIR names no folder"
        pytest.skip("DIAR_DIR names no folder of labelled conversations")
    if "asan" in str(PROGRAM):
        pytest.skip("minutes under AddressSanitizer; the unit tests run there")
    reference = tmp_path / "reference.rttm"
    reference.write_text("".join(f.read_text() for f in sorted((DIAR_DIR / folder).glob("*.rttm"))))
    options = [reference if option is REFERENCE else option for option in options]
    found = subprocess.run([PROGRAM, "diarize", "--rttm", "--jobs", "2", *options, DIAR_DIR / folder],
                           capture_output=True, text=True, timeout=400, check=True)
    (tmp_path / "found.rttm").write_text(found.stdout)
    scored = subprocess.run([PROGRAM, "score", reference, tmp_path / "found.rttm"],
                            capture_output=True, text=True, timeout=60, check=True)
    return total(scored.stdout), scored.stdout


@pytest.mark.parametrize("folder, known_speech, most", [
    ("syn", False, 18.0), ("syn", True, 10.0), ("sample", False, 15.0), ("sample", True, 19.0), ("ami", False, 48.0),
    ("ami", True, 36.0),
])
def test_labelled_conversations(tmp_path, folder, known_speech, most):
    speech = ("--speech", REFERENCE) if known_speech else ()
    found, table = error_rate(tmp_path, folder, "--engine", "vad", *speech)
    assert found <= most, table


@pytest.mark.parametrize("folder, most", [("syn", 21.0), ("sample", 6.0), ("ami", 32.0)])
def test_labelled_conversations_with_the_published_segmentation_network(tmp_path, folder, most):
    if not SEGMENTATION.exists():
        pytest.skip("left out: no models/segmentation.safetensors; make model-segmentation brings it")
    found, table = error_rate(tmp_path, folder, "--segmentation", SEGMENTATION)
    assert found <= most, table


def test_a_transcript_comes_back(run, talk, tmp_path):
    subtitles = tmp_path / "talk.srt"
    subtitles.write_text("1\n00:00:01,000 --> 00:00:02,000\nOne.\n\n2\n00:00:59,000 --> 00:01:00,000\nTwo.\n")
    known = ("--num-speakers", "2", *spoken(talk), "--transcript", str(subtitles))
    done = run("diarize", *known, talk)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout == subtitles.read_text().replace("One.", "SPEAKER_00: One.")
    assert run("diarize", *known, "--text", talk).stdout == "SPEAKER_00: One.\nUNKNOWN: Two.\n"
    out = tmp_path / "out"
    out.mkdir()
    assert run("diarize", *known, "-o", out, talk).returncode == 0
    assert run("diarize", *known, "-o", out, "--text", talk).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == ["talk.srt", "talk.txt"]
    assert (out / "talk.srt").read_text() == done.stdout


def test_transcripts_that_do_not_go(run, talk, tmp_path):
    bad = tmp_path / "bad.vtt"
    bad.write_text("WEBVTT\n\n1 --> 2\nx\n")
    done = run("diarize", "--transcript", bad, talk)
    assert done.returncode == 1 and f"{bad}: line 3: not two times" in done.stderr
    assert "No such file" in run("diarize", "--transcript", tmp_path / "none.srt", talk).stderr
    for options, said in ((("--text",), "name it with --transcript"),
                          (("--transcript", str(bad), "--json"), "leave out --rttm and --json"),
                          (("--transcript", str(bad), str(talk)), "belongs to one recording")):
        done = run("diarize", *options, talk)
        assert done.returncode == 2 and said in done.stderr
