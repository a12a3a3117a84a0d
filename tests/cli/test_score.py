"""The diarization error rate: pyannote.metrics' numbers, and files as people have them."""

from __future__ import annotations

import json
import subprocess

import pytest
from conftest import GOLDEN, PROGRAM, lines

DER = GOLDEN / "der"
SAME_S = 2e-6  # the expected numbers are rounded to a microsecond
OPTIONS = {
    "plain": (),
    "collar": ("--collar", "0.25"),
    "skip-overlap": ("--skip-overlap",),
    "uem": ("--uem", DER / "scored.uem"),
    "all": ("--collar", "0.1", "--skip-overlap", "--uem", DER / "scored.uem"),
}
PARTS = ("miss_s", "false_alarm_s", "confusion_s", "speech_s")
LINE = "SPEAKER a 1 {} {} <NA> <NA> {} <NA> <NA>\n"


@pytest.fixture
def score(run, tmp_path):
    """Scores two texts, and returns the JSON lines."""

    def call(reference: str | bytes, hypothesis: str | bytes, *options) -> list[dict]:
        for name, text in (("ref.rttm", reference), ("hyp.rttm", hypothesis)):
            (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        done = run("score", tmp_path / "ref.rttm", tmp_path / "hyp.rttm", "--json", *options)
        assert done.returncode == 0, done.stderr
        return lines(done)

    return call


@pytest.mark.parametrize("setting", OPTIONS)
def test_the_numbers_are_those_of_pyannote_metrics(run, setting):
    expected = json.loads((DER / "expected.json").read_text())[setting]
    done = run("score", DER / "ref.rttm", DER / "hyp.rttm", "--json", *OPTIONS[setting])
    assert done.returncode == 0
    *rows, last = lines(done)
    assert {row["recording"] for row in rows} == set(expected)
    for row in rows:
        *seconds, rate = expected[row["recording"]]
        for part, value in zip(PARTS, seconds, strict=True):
            assert row[part] == pytest.approx(value, abs=SAME_S), (row["recording"], part)
        assert row["der"] == pytest.approx(rate, abs=1e-4), row["recording"]
    total = last["total"]
    sums = [sum(values[i] for values in expected.values()) for i in range(4)]
    for part, value in zip(PARTS, sums, strict=True):
        assert total[part] == pytest.approx(value, abs=1e-3)
    assert total["der"] == pytest.approx(sum(sums[:3]) / sums[3], abs=1e-6)  # no mean of rates
    assert total["recordings"] == len(expected) and total["overlap_scored"] is (
        "--skip-overlap" not in OPTIONS[setting])


def test_a_speaker_who_overlaps_himself_is_told_of(run, tmp_path):
    reference, hypothesis = tmp_path / "ref.rttm", tmp_path / "hyp.rttm"
    reference.write_text(LINE.format(0, 7, "A") + LINE.format(4, 6, "A"))  # 4 to 7 twice
    hypothesis.write_text(LINE.format(0, 10, "x"))
    done = run("score", reference, hypothesis, "--json")
    assert done.returncode == 0
    assert lines(done)[-1]["total"]["der"] == pytest.approx(3 / 13, abs=1e-4)  # pyannote.metrics: 23.08 %
    assert "own turns overlap, 3.00 s" in done.stderr and "pyannote.metrics" in done.stderr and "md-eval" in done.stderr
    reference.write_text(LINE.format(0, 7, "A") + LINE.format(7, 3, "A") + LINE.format(5, 4, "B"))
    assert "overlap" not in run("score", reference, hypothesis).stderr


def test_the_table(run):
    done = run("score", DER / "ref.rttm", DER / "hyp.rttm")
    assert done.returncode == 0
    head, *rows, total, note = done.stdout.splitlines()
    assert head.split()[:3] == ["recording", "DER", "%"]
    table = {row.split()[0]: row.split()[1:] for row in rows}
    assert table["perfect"] == ["0.00"] * 4 + ["9.000", "2", "of", "2"]
    assert table["swapped"] == table["perfect"]
    assert table["silent"] == ["100.00", "100.00", "0.00", "0.00", "9.000", "0", "of", "2"]
    assert table["one-label"][:4] == ["44.44", "0.00", "11.11", "33.33"]
    assert total.startswith("TOTAL ") and note == "collar 0 s on each side, overlap scored"


def test_a_collar_is_counted_on_each_side(score):
    reference = LINE.format(1, 4, "A")
    (row, _) = score(reference, LINE.format(1.25, 3.5, "x"), "--collar", "0.25")
    assert row["der"] == 0 and row["speech_s"] == pytest.approx(3.5)
    (row, _) = score(reference, LINE.format(1.35, 3.3, "x"), "--collar", "0.25")
    assert row["miss_s"] == pytest.approx(0.2)


def test_files_as_people_have_them(score):
    plain = LINE.format(0, 2, "MÉO069") + LINE.format(2, 1, "B")
    spellings = [
        plain.replace(" ", "\t"), plain.replace("\n", "\r\n"), plain.replace("\n", "\r"),
        "\ufeff" + plain, plain.rstrip("\n"), plain.replace(" <NA>\n", "\n"),
        ";; a remark\n\n  \n" + plain.replace(" ", "   "),
        "SPKR-INFO a 1 <NA> <NA> <NA> unknown B <NA>\n" + plain + LINE.format(9, 0, "C"),
        plain.encode("latin-1"),
    ]
    for spelling in spellings:
        (row, _) = score(plain, spelling)
        assert row["der"] == 0 and row["speech_s"] == 3, spelling


@pytest.mark.parametrize(("text", "complaint"), [
    (LINE.format(0, 1, "A") + "SPEAKER a 1 1 2 <NA> <NA> A\n", "line 2: 8 fields"),
    (LINE.format(0, 1, "A B C"), "line 1: 12 fields"),
    (LINE.format(0, -1, "A"), "line 1: field 5, the duration"),
    (LINE.format("nan", 1, "A"), "line 1: field 4, the start"),
    ("\r\n\r\n" + LINE.format(0, "0x1", "A"), "line 3: field 5"),
    (LINE.format("1e400", 1, "A"), "line 1: field 4"),
    (LINE.format("1,5", 1, "A"), "line 1: field 4"),
    ("<html>\n", "line 1: field 1 is no type of RTTM"),
    ("a\0b", "zero bytes"),
    (LINE.format(0, 1, "A").encode("utf-16"), "UTF-16"),
])
def test_what_is_wrong_is_said_with_its_line(run, tmp_path, text, complaint):
    bad, good = tmp_path / "bad.rttm", tmp_path / "good.rttm"
    bad.write_bytes(text.encode() if isinstance(text, str) else text)
    good.write_text(LINE.format(0, 1, "A"))
    for args in ((bad, good), (good, bad)):
        done = run("score", *args)
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.startswith(f"voiceprint: {bad}: ") and complaint in done.stderr


@pytest.mark.parametrize(("uem", "complaint"), [
    ("a 1 5 2\n", "line 1: the end lies before the start"), ("a 1 5\n", "line 1: 3 fields"),
    ("a 1 x 5\n", "line 1: field 3"), ("other 1 0 5\n", "no recording to score"),
])
def test_a_bad_uem_is_an_error(run, tmp_path, uem, complaint):
    (tmp_path / "a.rttm").write_text(LINE.format(0, 1, "A"))
    (tmp_path / "a.uem").write_text(uem)
    done = run("score", tmp_path / "a.rttm", tmp_path / "a.rttm", "--uem", tmp_path / "a.uem")
    assert done.returncode == 1 and complaint in done.stderr


def test_recordings_of_one_side_only_are_named(run, tmp_path):
    ref, hyp = tmp_path / "ref.rttm", tmp_path / "hyp.rttm"
    both = LINE.format(0, 1, "A")
    ref.write_text(both + both.replace(" a ", " b "))
    hyp.write_text(both + both.replace(" a ", " c "))
    done = run("score", ref, hyp, "--json")
    assert done.returncode == 0
    a, b, c, last = lines(done)
    assert (a["der"], b["miss_s"], c["false_alarm_s"]) == (0, 1, 1)
    assert last["total"]["der"] == 1 and last["total"]["speech_s"] == 2
    assert f"b: not in {hyp}" in done.stderr and f"c: not in {ref}" in done.stderr


def test_a_single_recording_may_be_called_otherwise(run, tmp_path):
    ref, hyp = tmp_path / "ref.rttm", tmp_path / "hyp.rttm"
    ref.write_text(LINE.format(0, 1, "A"))
    hyp.write_text(LINE.format(0, 1, "x").replace(" a ", " audio "))
    done = run("score", ref, hyp, "--json")
    assert done.returncode == 0 and lines(done)[0]["der"] == 0
    assert "scored against 'audio'" in done.stderr


def test_nothing_at_all_is_an_error_and_silence_is_not(run, score, tmp_path):
    (row, _) = score(LINE.format(0, 1, "A"), "")
    assert row["der"] == 1 and row["miss_s"] == 1
    (row, _) = score("", LINE.format(0, 1, "A"))
    assert row["der"] == 1 and row["speech_s"] == 0
    (tmp_path / "none.rttm").write_text("")
    done = run("score", tmp_path / "none.rttm", tmp_path / "none.rttm")
    assert done.returncode == 1 and "no recording to score" in done.stderr


def test_a_closed_stdout_is_noticed(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "score", DER / "ref.rttm", DER / "hyp.rttm"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "cannot be written to" in done.stderr
