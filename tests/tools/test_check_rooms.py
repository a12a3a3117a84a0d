"""tools/check_rooms.py: a planted upward include and a planted circle turn it red, this tree is clean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(root: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, ROOT / "tools" / "check_rooms.py", root],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three files in two rooms, as they should be."""
    for path, text in {"core/base/status.h": "", "core/audio/riff.h": '#include "base/status.h"\n',
                       "core/audio/sniff.c": '#include "audio/riff.h"\n',
                       "server/util/log.c": '#include "voiceprint.h"\n'}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_this_tree_is_in_order() -> None:
    assert check(ROOT) == (0, "")


def test_a_tree_in_order_says_nothing(tree: Path) -> None:
    assert check(tree) == (0, "")


@pytest.mark.parametrize("path, text, said", [
    ("core/base/status.h", '#include "audio/riff.h"\n', "audio/ is above base/"),
    ("core/audio/riff.h", '#include "audio/sniff.h"\n', "a circle of audio/riff -> audio/sniff -> audio/riff"),
    ("core/audio/riff.h", '#include "util/log.h"\n', "which is not in core/"),
    ("core/elsewhere/new.c", '#include "base/status.h"\n', "is not listed"),
    ("server/util/log.c", '#include "audio/riff.h"\n', "which is not in server/"),
])
def test_a_planted_fault_is_named(tree: Path, path: str, text: str, said: str) -> None:
    (tree / "core/audio/sniff.h").write_text("")
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)
    code, output = check(tree)
    assert code == 1
    assert path in output or "circle" in said
    assert said in output
