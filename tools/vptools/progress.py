"""How far a long piece of work has come, on one line of a terminal; nothing where stderr is a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def each(items: Iterable[Item], n: int, what: str) -> Iterator[Item]:
    """The items as they come, counted; n of them are expected. The line is gone when they are."""
    shows = sys.stderr.isatty()
    try:
        for i, item in enumerate(items, 1):
            if shows:
                print(f"\r\033[K{what} {i}/{n}", end="", file=sys.stderr, flush=True)
            yield item
    finally:
        if shows:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
