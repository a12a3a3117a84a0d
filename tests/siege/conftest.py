"""The siege: attackers on raw sockets against the real binary, each bounded in time and in number.

Every test here failed before the service learnt to stand the attack. The longer forms run with
`make siege`, which sets SIEGE=long.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "http"))
sys.path.insert(0, str(Path(__file__).parent))

import attackers  # noqa: E402
from service import BUILD, Service  # noqa: E402

# What a bomb costs, one worker alone takes, and bytes are judged by the loop alone: nothing for ThreadSanitizer to see.
collect_ignore = [f"test_{name}.py" for name in ("balancers", "bombs", "hardening", "hosts", "wire")] if BUILD.name == "tsan" else []


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One for each file: its last test ends with a service that drains as if nothing had been."""
    with Service(workers=2, queue_size=8) as running:
        yield running
        attackers.judge_turns(running)
