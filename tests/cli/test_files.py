"""Files, folders, lists, threads; what fails is named while the rest goes on."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import MODEL, PROGRAM, golden_signal, lines, write_wav


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve recordings of different length, two of them in a folder below, and other files."""
    top = tmp_path / "voices"
    (top / "more").mkdir(parents=True)
    for i in range(12):
        place = top / "more" if i >= 10 else top
        write_wav(place / f"{i:02}.wav", golden_signal(60 + 13 * i))
    (top / "notes.txt").write_text("not a recording")
    (top / ".hidden.wav").write_text("nor this")
    return top


def test_a_folder_is_walked_in_order(run, folder):
    done = run("embed", folder)
    assert done.returncode == 0, done.stderr
    names = [Path(answer["file"]).name for answer in lines(done)]
    assert names == [f"{i:02}.wav" for i in range(12)]


def test_threads_change_neither_order_nor_numbers(run, folder):
    alone, together = run("embed", folder), run("embed", "--jobs", "5", folder)
    assert together.returncode == 0, together.stderr
    assert alone.stdout == together.stdout
    assert run("embed", "--jobs", "200", folder).stdout == alone.stdout


def test_a_list_is_read_from_file_or_stdin(run, folder, tmp_path):
    paths = [folder / "03.wav", folder / "01.wav"]
    text = "".join(f"{path}\n" for path in paths) + "\n"
    listed = tmp_path / "some.list"
    listed.write_text(text)
    from_file, from_stdin = run("embed", "--list", listed), run("embed", "--list", "-", stdin=text)
    assert from_file.returncode == from_stdin.returncode == 0
    assert [answer["file"] for answer in lines(from_file)] == [str(path) for path in paths]
    assert from_file.stdout == from_stdin.stdout


def test_a_list_may_be_kaldis_and_begin_with_a_mark(run, folder, tmp_path):
    """wav.scp names each recording before its path; editors on Windows put a byte order mark in front."""
    (folder / "a b.wav").write_bytes((folder / "02.wav").read_bytes())
    listed = tmp_path / "wav.scp"
    listed.write_text(f"\ufefffirst {folder}/03.wav\nsecond\t{folder}/01.wav\n{folder}/a b.wav\n")
    done = run("embed", "--list", listed)
    assert done.returncode == 0, done.stderr
    assert [Path(answer["file"]).name for answer in lines(done)] == ["03.wav", "01.wav", "a b.wav"]


@pytest.mark.parametrize("command", ["embed", "compare", "diarize"])
def test_pipes_are_files_too(folder, tmp_path, command):
    clip = (folder / "09.wav").read_bytes()
    (tmp_path / "zzz.wav").write_bytes(clip)
    environment = {**os.environ, "VOICEPRINT_MODEL": str(MODEL)}
    other = [folder / "08.wav"] if command == "compare" else []
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def said(path: str | Path, feed: bool = False) -> bytes:
        source = ["sh", "-c", f"cat '{tmp_path}/zzz.wav' > '{fifo}'"]
        with subprocess.Popen(source) if feed else contextlib.nullcontext():
            done = subprocess.run([PROGRAM, command, path, *other], env=environment, input=clip, capture_output=True,
                                  timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.replace(str(path).encode(), b"X").replace(Path(path).stem.encode(), b"X")

    plain = said(tmp_path / "zzz.wav")
    assert said("-").count(b"\n") == plain.count(b"\n") > 0
    assert said("/dev/stdin") == plain
    assert said(fifo, feed=True) == plain


def test_a_bad_file_is_named_and_the_others_go_on(run, folder):
    (folder / "05.wav").write_text("this is text")
    (folder / "07.wav").write_bytes(b"")
    write_wav(folder / "08.wav", np.zeros(32000))
    for jobs in ("1", "4"):
        done = run("embed", "--jobs", jobs, folder, "/no/such/file.wav")
        assert done.returncode == 1
        assert len(lines(done)) == 9
        complaints = done.stderr.splitlines()
        assert f"voiceprint: {folder}/05.wav: text is not accepted" in done.stderr
        assert f"voiceprint: {folder}/07.wav: there are no bytes" in done.stderr
        assert f"voiceprint: {folder}/08.wav: the recording is silent" in done.stderr
        assert "voiceprint: /no/such/file.wav: No such file or directory" in complaints
        assert complaints[-1] == "voiceprint: embed: 4 of 13 recordings failed"


def test_a_folder_without_recordings_is_an_error(run, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("embed", tmp_path / "empty")
    assert done.returncode == 1 and "no recordings in this folder" in done.stderr


def test_what_is_no_recording_is_refused(run, tmp_path):
    done = run("embed", "/dev/null", MODEL)
    assert done.returncode == 1
    assert "/dev/null: there are no bytes" in done.stderr
    done = run("compare", tmp_path, tmp_path)
    assert done.returncode == 1 and f"{tmp_path}: a folder, not a file" in done.stderr


def test_limits_can_be_set(run, clip):
    long = clip(333)
    refused = run("embed", "--max-duration", "2", long)
    assert refused.returncode == 1 and "longer than 2 s" in refused.stderr
    cut = run("embed", "--max-duration", "2", "--truncate", long)
    assert cut.returncode == 0
    (answer,) = lines(cut)
    assert answer["frames"] == 198 and answer["warnings"][-1] == "truncated"
    (short,) = lines(run("embed", "--min-duration", "0.2", clip(50)))
    assert "short_clip" in short["warnings"]
    too_low = run("embed", "--min-duration", "0.05", clip(50))
    assert too_low.returncode == 1 and "at least 0.105" in too_low.stderr


def test_a_progress_bar_only_on_a_terminal(folder, tmp_path):
    command = [PROGRAM, "embed", "--model", MODEL, folder]
    plain = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert plain.stderr == b""
    ours, theirs = pty.openpty()
    with open(tmp_path / "out", "wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert child.wait(timeout=60) == 0
    assert b"12/12" in shown and b"0 failed" in shown
    assert (tmp_path / "out").read_bytes() == plain.stdout
