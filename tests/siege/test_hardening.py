"""What the linker and the compiler are told to do against the use of a fault in memory."""

from __future__ import annotations

import platform
import shutil
import subprocess

import pytest
from service import BUILD, ROOT

PROGRAMS = ["voiceprintd", "voiceprint"]
pytestmark = pytest.mark.skipif(shutil.which("readelf") is None, reason="left out: no readelf")


def readelf(*options: str, program: str) -> str:
    return subprocess.run(["readelf", "-W", *options, str(BUILD / program)], check=True, capture_output=True,
                          text=True, timeout=60).stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_links(program: str) -> None:
    assert "DYN (Position-Independent Executable" in readelf("-h", program=program)
    segments = readelf("-l", program=program)
    assert "GNU_RELRO" in segments
    stack = next(line for line in segments.splitlines() if "GNU_STACK" in line)
    assert "RWE" not in stack
    dynamic = readelf("-d", program=program)
    assert "BIND_NOW" in dynamic, "the table of functions stays writable"
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic and "TEXTREL" not in dynamic


@pytest.mark.skipif(BUILD.name != "release", reason="left out: sanitizers have checks of their own")
@pytest.mark.parametrize("program", PROGRAMS)
def test_calls_are_checked(program: str) -> None:
    symbols = readelf("--dyn-syms", program=program)
    assert "__stack_chk_fail" in symbols
    assert "__memcpy_chk" in symbols or "__snprintf_chk" in symbols, "_FORTIFY_SOURCE is not in force"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="left out: CET is of x86-64")
@pytest.mark.parametrize("program", PROGRAMS)
def test_control_flow_is_guarded(program: str) -> None:
    """By the landing pad at main: the note that says so of the whole program is lost to Debian's crt1.o."""
    done = subprocess.run(["objdump", "-d", "--disassemble=main", str(BUILD / program)], check=True, capture_output=True,
                          text=True, timeout=60)
    assert "endbr64" in done.stdout


def test_the_unit_limits_memory() -> None:
    """Enough for what docs/sizing.md counts with 32 workers, and no more than 2 GiB."""
    unit = (ROOT / "config/voiceprintd.service").read_text(encoding="utf-8")
    assert "\nMemoryMax=2G\n" in unit
