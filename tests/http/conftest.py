"""One service for all tests that only ask; the others start their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from service import BUILD, Service  # noqa: E402

# Faults are injected at a seam that only the asan build has. ThreadSanitizer is slow and looks for one
# kind of fault: files that are served as they are, clients of ours, and recordings that one worker alone
# embeds with the full-size net are left out there.
collect_ignore = [] if BUILD.name == "asan" else ["test_faults.py"]
if BUILD.name == "tsan":
    collect_ignore += ["test_pages.py", "test_examples.py", "test_field.py"]


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with Service(workers=2, queue_size=8) as running:
        yield running
