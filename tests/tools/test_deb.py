"""The Debian package for another machine: that it says so, asks for what its programs load, and runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EMULATOR = shlex.split(os.environ.get("EMULATOR", ""))

pytestmark = pytest.mark.skipif(not EMULATOR, reason="left out: a package for ARM64 is made by make test-aarch64")


def output_of(*command: str | Path) -> str:
    return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout


def test_arm64(tmp_path: Path) -> None:
    package = max((ROOT / "build").glob("voiceprintd_*_arm64.deb"), key=lambda path: path.stat().st_mtime)
    assert output_of("dpkg-deb", "--field", package, "Architecture").strip() == "arm64"
    depends = output_of("dpkg-deb", "--field", package, "Depends")
    output_of("dpkg-deb", "--extract", package, tmp_path)
    for program in ("voiceprintd", "voiceprint"):
        path = tmp_path / "usr/bin" / program
        for library, version in re.findall(r"NEEDED.*\[lib([a-z0-9]+)\.so\.(\d+)\]", output_of("readelf", "-d", path)):
            name = f"lib{library}{'-' if library[-1].isdigit() else ''}{version}"
            # The mathematical library is the C library's, and PNG's name has its version in it.
            assert {"libm6": "libc6"}.get(name, name) in depends, (program, name, depends)
        assert program in output_of(*EMULATOR, path, "--help")
