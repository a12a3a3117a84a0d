"""One service for all tests that only ask; the others start their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from service import Service  # noqa: E402


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with Service(workers=2, queue_size=8) as running:
        yield running
