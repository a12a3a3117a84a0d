#!/usr/bin/env python3
"""Holds the order of the rooms: a file may include only its own room and those below it.

The rooms of core/ and server/ are listed from the ground up. The script reads every #include "..." of
both trees and names each one that points upwards, crosses from core/ to server/, or reaches past
core's public headers, and each circle of files within a room.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

# From the ground up. A room may include those before it.
CORE = ["base", "features", "audio", "network", "loader", "speech", "voice", "segmentation", "cluster", "diarize", "der", "transcript"]
SERVER = ["util", "config", "sandbox", "http", "voices", "work", "request", "."]
PUBLIC = {"voiceprint", "assignment", "diarization", "der", "waveform", "transcript", "json_read", "decoder"}  # core's headers for code outside core/


def includes_of(path: Path) -> list[str]:
    return re.findall(r'^#include "([^"]+)"', path.read_text(), re.M)


def stem_of(path: str) -> str:
    return path.rsplit(".", 1)[0]


def room_of(path: str) -> str:
    """The room of a path below core/ or server/: its first folder, `.` for the top."""
    return path.split("/")[0] if "/" in path else "."


def upward(root: Path, tree: str, order: list[str]) -> list[str]:
    """Each include of `tree` that its room may not have."""
    faults = []
    for path in sorted((root / tree).rglob("*.[ch]")):
        inside = path.relative_to(root / tree).as_posix()
        room = room_of(inside)
        for included in includes_of(path):
            where = f"{tree}/{inside}: includes \"{included}\""
            if stem_of(included) in PUBLIC:
                continue
            if not (root / tree / included).exists():
                faults.append(f"{where}, which is not in {tree}/")
            elif room not in order or room_of(included) not in order:
                faults.append(f"{where}; one of the two rooms is not listed in {Path(__file__).name}")
            elif order.index(room_of(included)) > order.index(room):
                faults.append(f"{where}, but {room_of(included)}/ is above {room}/")
    return faults


def circles(root: Path, tree: str) -> list[str]:
    """Each circle of files (a header and its source count as one)."""
    graph: dict[str, set[str]] = {}
    for path in sorted((root / tree).rglob("*.[ch]")):
        own = stem_of(path.relative_to(root / tree).as_posix())
        graph.setdefault(own, set()).update(stem_of(name) for name in includes_of(path))
    found: set[str] = set()

    def walk(stem: str, way: list[str], done: set[str]) -> None:
        if stem in way:
            ring = way[way.index(stem):]
            start = ring.index(min(ring))
            found.add(f"{tree}/: a circle of " + " -> ".join(ring[start:] + ring[:start] + [min(ring)]))
            return
        if stem in done:
            return
        done.add(stem)
        for name in sorted(graph.get(stem, set()) - {stem}):
            walk(name, [*way, stem], done)

    done: set[str] = set()
    for stem in sorted(graph):
        walk(stem, [], done)
    return sorted(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1],
                        help="the project's top folder")
    root: Path = parser.parse_args().root
    faults = []
    for tree, order in (("core", CORE), ("server", SERVER)):
        faults += upward(root, tree, order) + circles(root, tree)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
