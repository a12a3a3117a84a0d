"""File names of any kind stay distinct in every output, and no answer goes over another."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import MODEL, PROGRAM, golden_signal, lines, write_wav

NAMES = [b"a b", b"a%20b", b"a%2520b", b"a_b", b"100%", b"a.b", "Größe".encode(), "録音 1".encode(), "no\u00a0break".encode(),
         "wide\u3000blank".encode(), b"\xff\xfe", b"%FF%FE", b"%\xff", b"latin-\xe9", b"tab\there", b"line\nhere", b"\xed\xa0\x80", b"x" * 200]


def read_back(text: str) -> bytes:
    return re.sub(rb"%([0-9A-F]{2})", lambda escape: bytes([int(escape[1], 16)]), text.encode())


@pytest.fixture
def odd(tmp_path: Path) -> list[bytes]:
    sound = write_wav(tmp_path / "sound", golden_signal(298))
    folder = tmp_path / "odd"
    folder.mkdir()
    paths = [os.fsencode(folder) + b"/" + name + b".wav" for name in NAMES]
    for path in paths:
        shutil.copy(os.fsencode(sound), path)
    return paths


def call(*words: str | bytes | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([PROGRAM, words[0], "--model", MODEL, *words[1:]], capture_output=True, timeout=60, check=False)


def test_json_names_can_be_read_back(odd: list[bytes]) -> None:
    for command in ("embed", "diarize"):
        done = call(command, *(["--json"] if command == "diarize" else []), *odd)
        assert done.returncode == 0, done.stderr
        files = [json.loads(line)["file"] for line in done.stdout.splitlines()]
        assert [read_back(file) for file in files] == odd
        assert files[6].endswith("/Größe.wav") and files[0].endswith("/a b.wav") and files[4].endswith("/100%.wav")
    pair = json.loads(call("compare", odd[10], odd[11]).stdout)
    assert [read_back(pair[side]["file"]) for side in "ab"] == odd[10:12] and pair["a"]["file"] != pair["b"]["file"]


def test_rttm_names_can_be_read_back(odd: list[bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert call("diarize", "--rttm", "--out", out, *odd).returncode == 0
    names = [Path(name).stem for name in os.listdir(out)]
    assert sorted(map(read_back, names)) == sorted(NAMES)
    assert all(len(name.split()) == 1 for name in names) and {"Größe", "100%", "a.b", "a%20b"} <= set(names)
    speech = tmp_path / "speech.rttm"
    speech.write_text("".join(f"SPEAKER {name} 1 0.5 2.0 <NA> <NA> a <NA> <NA>\n" for name in names))
    done = call("diarize", "--rttm", "--speech", speech, *odd)
    assert done.returncode == 0, done.stderr
    recordings = [line.split(" ")[1] for line in done.stdout.decode().splitlines()]
    assert [read_back(name) for name in dict.fromkeys(recordings)] == NAMES


@pytest.mark.parametrize("options", [["--rttm"], ["--json", "--out"], ["--out"], ["--png"]])
def test_two_answers_under_one_name_are_refused(run, tmp_path: Path, options: list[str]) -> None:
    sound = write_wav(tmp_path / "talk.wav", golden_signal(298))
    (tmp_path / "b").mkdir()
    other = shutil.copy(sound, tmp_path / "b" / "talk.flac")
    out = tmp_path / "out"
    out.mkdir()
    folder = [str(out)] if options[-1] in ("--out", "--png") else []
    done = run("diarize", *options, *folder, sound, tmp_path / "no such file.wav", other)
    assert done.returncode == 2 and done.stdout == "" and not list(out.iterdir())
    assert str(sound) in done.stderr and str(other) in done.stderr and "'talk'" in done.stderr
    assert "no such file" not in done.stderr


def test_answers_that_carry_their_path_may_be_alike(run, tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "talk.wav", golden_signal(298))
    (tmp_path / "b").mkdir()
    other = shutil.copy(sound, tmp_path / "b" / "talk.wav")
    done = run("diarize", "--json", sound, other)
    assert done.returncode == 0
    assert [line["file"] for line in lines(done)] == [str(sound), str(other)]
