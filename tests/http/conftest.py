"""One service for all tests that only ask; the others start their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from service import BUILD, Service  # noqa: E402

# Faults are injected at a seam that only the asan build has. ThreadSanitizer is slow and looks for one
# kind of fault, so that it gets what goes on at the same time: work in company, clients that leave, start,
# drain, reload, shortage. One request after the other, row by row, is left to the other builds.
collect_ignore = [] if BUILD.name == "asan" else ["test_faults.py"]
if BUILD.name == "tsan":
    collect_ignore += [f"test_{name}.py" for name in (
        "bombs", "campplus", "channels", "contract", "diarize", "examples", "field", "framing", "headers", "hostile", "identify_speakers",
        "media", "memory_limit", "pages", "rows", "speech", "torture", "transcript")]


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with Service(workers=2, queue_size=8) as running:
        yield running
