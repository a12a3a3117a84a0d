"""vptools.progress and the program's reader: a count on a terminal, silence in a file."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from vptools import engine, progress  # noqa: E402

COUNT = "from vptools.progress import each\nprint(sum(each(range(5), 5, 'counted')))"


def run(terminal: bool) -> tuple[str, str]:
    """(stdout, stderr) of five counted items."""
    controller, end = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", COUNT], cwd=TOOLS, stdout=subprocess.PIPE,
                          stderr=end if terminal else subprocess.PIPE) as running:
        out, err = running.communicate(timeout=60)
    os.close(end)
    said = os.read(controller, 4096) if terminal else err
    os.close(controller)
    return out.decode(), said.decode()


def test_a_count_on_a_terminal_and_none_in_a_file() -> None:
    out, said = run(terminal=True)
    assert out == "10\n" and "counted 1/5" in said and "counted 5/5" in said
    assert said.endswith("\r\x1b[K")  # nothing of it stays
    assert run(terminal=False) == ("10\n", "")


def test_items_come_as_they_are() -> None:
    assert list(progress.each(iter("abc"), 3, "x")) == ["a", "b", "c"]
    assert list(progress.each([], 0, "x")) == []


@pytest.mark.parametrize("n_lines", [1, 5000])
def test_the_program_may_complain_at_length(tmp_path: Path, n_lines: int) -> None:
    """More on stderr than a pipe holds must not stop it; the complaint comes through."""
    program = tmp_path / "voiceprint"
    program.write_text(f"#!/bin/sh\nfor i in $(seq {n_lines}); do echo \"voiceprint: clip $i: cut\" >&2; done\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(engine.EngineError, match=f"clip {n_lines}: cut"):
        engine.embed([tmp_path / "a.wav"], program=program)
