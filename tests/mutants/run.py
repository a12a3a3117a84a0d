#!/usr/bin/env python3
"""Proves that the suite can fail: each planted fault must turn it red.

The *.toml beside it list the faults: a file, a piece of text that stands in it exactly once, what to put
in its place, which tests to run, and the test that must turn red. They are applied one at a time to
copies of the tree under build/mutants, one copy for each CPU, built, and tested there. A fault that
survives, is noticed only by some other test, no longer applies or does not compile fails this run; so
does a suite that is red without any fault.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD_DEADLINE_S = 600
TEST_DEADLINE_S = 900


@dataclass(frozen=True)
class Mutant:
    name: str  # what is wrong in the mutant
    file: str
    find: str
    replace: str
    tests: str  # part of a test's path, as tests/run.py --only takes it
    killed_by: str = ""  # part of a failed test's name; by default the file that `tests` names

    @property
    def killer(self) -> str:
        return self.killed_by or Path(self.tests).stem


def copy_tree(copy: Path) -> None:
    """The tracked files, as they are in the working tree. Objects of an earlier run stay."""
    copy.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, capture_output=True, check=True).stdout
    names = {name for name in listed.decode().split("\0") if (ROOT / name).is_file()}
    for path in copy.rglob("*"):
        name = path.relative_to(copy).as_posix()
        if path.is_file() and not name.startswith("build/") and name not in names:
            path.unlink()
    for name in names:
        source, target = ROOT / name, copy / name
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def programs_of(copy: Path, tests: str) -> list[str]:
    """What make must build for these tests: their own program, or the two that pytest drives."""
    units = [path.relative_to(copy).with_suffix("") for path in copy.glob("tests/unit/**/test_*.c")]
    units += [path.relative_to(copy).with_suffix("") for path in copy.glob("tests/fuzz/fuzz_*.c")]
    programs = [f"build/release/{unit}" for unit in units if tests in f"build/release/{unit}"]
    return programs or ["all"]


def build(copy: Path, targets: list[str]) -> bool:
    # CI makes warnings errors, and a fault may leave something unused
    done = subprocess.run(["make", "-j2", "CI=", *targets], cwd=copy,
                          capture_output=True, text=True, timeout=BUILD_DEADLINE_S, check=False)
    if done.returncode != 0:
        print(done.stderr[-2000:])
    return done.returncode == 0


def failures_of(copy: Path, tests: str, options: Sequence[str] = ()) -> list[str]:
    """The names of the tests that are red; one that says so when the suite ended in no known way."""
    environment = dict(os.environ, SPEECH_DIR=str(Path(os.environ.get("SPEECH_DIR", "")).resolve()), PATIENCE_S="20")
    try:
        done = subprocess.run([sys.executable, "tests/run.py", "--only", tests, *options], cwd=copy,
                              env=environment, capture_output=True, text=True,
                              timeout=TEST_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        return [f"tests/run.py did not end within {TEST_DEADLINE_S} s"]
    failed = [line.removeprefix("FAILED: ") for line in done.stdout.splitlines() if line.startswith("FAILED: ")]
    return failed or ([] if done.returncode == 0 else [f"tests/run.py ended with {done.returncode}"])


def try_mutant(copy: Path, mutant: Mutant) -> tuple[bool, str]:
    """Whether the test that must notice did, and what happened, with its seconds."""
    begun = time.monotonic()
    killed, how = judge_mutant(copy, mutant)
    return killed, f"{how} ({time.monotonic() - begun:.0f} s)"


def judge_mutant(copy: Path, mutant: Mutant) -> tuple[bool, str]:
    path = copy / mutant.file
    original = path.read_text()
    if original.count(mutant.find) != 1:
        return False, f"`find` stands {original.count(mutant.find)} times in {mutant.file}, not once"
    try:
        path.write_text(original.replace(mutant.find, mutant.replace))
        if not build(copy, programs_of(copy, mutant.tests)):
            return False, "does not compile"
        # The first red test tells; where one is named, no other is worth its time.
        failed = failures_of(copy, mutant.tests, ["--first", "--named", mutant.killed_by])
        if not failed:
            return False, "SURVIVED: the suite stayed green"
        killers = [name for name in failed if mutant.killer in name]
        if not killers:
            return False, f"no test of {mutant.killer!r} turned red, only: {'; '.join(failed)}"
        return True, f"killed by {killers[0]}"
    finally:
        path.write_text(original)


def check_lines(mutants: Sequence[Mutant]) -> int:
    """Whether every fault can be planted: a line that was changed since takes its fault with it, unseen."""
    stale = [m for m in mutants if (ROOT / m.file).read_text().count(m.find) != 1]
    for mutant in stale:
        print(f"planted fault {mutant.name!r}: `find` does not stand exactly once in {mutant.file}")
    return 1 if stale else 0


def on_copies(copies: Sequence[Path], work: Callable[[Path, Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    """work(copy, item) for each item, in order; no copy serves two at a time."""
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def on_one(item: Any) -> Any:
        copy = free.get()
        try:
            return work(copy, item)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        yield from pool.map(on_one, items)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="run the mutants whose name contains this")
    parser.add_argument("--seen-green", action="store_true",
                        help="`make test` runs on this very tree anyway: do not run the suites without a fault first")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="copies of the tree, worked on side by side")
    parser.add_argument("--check", action="store_true", help="plant nothing: does each fault still have its line?")
    args = parser.parse_args()

    copies = [ROOT / "build" / "mutants" / str(i) for i in range(args.jobs)]
    listed = [entry for file in sorted(Path(__file__).parent.glob("*.toml"))
              for entry in tomllib.loads(file.read_text())["mutant"]]
    mutants = [m for m in (Mutant(**entry) for entry in listed) if args.only in m.name]
    if args.check:
        return check_lines(mutants)
    for copy in copies:
        if copy != copies[0] and not copy.exists():
            shutil.copytree(copies[0], copy)  # with its objects, as old as they are
        copy_tree(copy)
        if not build(copy, ["all", "unit", "untrained"]):
            print("the tree does not build without a fault")
            return 1
    suites = [] if args.seen_green else sorted({mutant.tests for mutant in mutants})
    for tests, failed in zip(suites, on_copies(copies, failures_of, suites)):
        if failed and failures_of(copies[0], tests):  # once may be a busy machine
            print(f"the suite is red without a fault: tests/run.py --only {tests}: {'; '.join(failed)}")
            return 1
    survivors: list[str] = []
    for number, (mutant, (killed, how)) in enumerate(zip(mutants, on_copies(copies, try_mutant, mutants)), 1):
        print(f"  [{number}/{len(mutants)}] {mutant.name}: {how}", flush=True)
        if not killed:
            survivors.append(f"planted fault {mutant.name!r}: {how}")
    for survivor in survivors:
        print(f"FAILED: {survivor}")
    print(f"{len(mutants) - len(survivors)} passed, {len(survivors)} failed")
    return 1 if survivors or not mutants else 0


if __name__ == "__main__":
    sys.exit(main())
