#!/usr/bin/env python3
"""Runs every test with a deadline and closes with one line: `N passed, N failed`.

C tests are cmocka programs under BUILD/tests/unit, one per module, and the fuzz targets on their seeds
and kept crashes; $EMULATOR runs them where they are built for another processor. The Python ones
(tests/http, tests/siege, tests/cli, tests/tools) run under pytest and drive the real binaries. A test
that was left out says why, and the slowest are named.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNIT_DEADLINE_S = 900 if os.environ.get("EMULATOR") else 300
PYTEST_DEADLINE_S = 2000
CASE_DEADLINE_S = 240
N_SLOWEST = 10
EMULATOR = shlex.split(os.environ.get("EMULATOR", ""))
NO_TESTS_COLLECTED = 5  # pytest's status, also when a whole file says why it is left out
# A sanitizer must answer an absurd allocation as malloc does: tests ask for such sizes on purpose.
SANITIZERS = {
    "ASAN_OPTIONS": "allocator_may_return_null=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "allocator_may_return_null=1:halt_on_error=1:second_deadlock_stack=1",
}


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  # of each program and each Python test

    def fail(self, name: str) -> None:
        self.failed += 1
        self.failures.append(name)


def kept_files(program: Path) -> list[str]:
    """What a fuzz target is run on: the seeds it starts from and the inputs that once crashed it."""
    if program.parent.name != "fuzz":
        return []
    folders = [ROOT / "tests/fuzz" / kind / program.name for kind in ("seeds", "crashes")]
    return sorted(str(path.relative_to(ROOT)) for folder in folders for path in folder.glob("*"))


def run_unit(program: Path, named: str) -> tuple[str, str, float]:
    """One program that reports in TAP: what it printed, how it ended, and its seconds."""
    begun = time.monotonic()
    env = dict(os.environ, **SANITIZERS, CMOCKA_MESSAGE_OUTPUT="TAP")
    if named:
        env["UNIT_TEST"] = f"*{named}*"
    try:
        done = subprocess.run([*EMULATOR, program, *kept_files(program)], cwd=ROOT, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=UNIT_DEADLINE_S, check=False)
        output, status = done.stdout, str(done.returncode)
    except subprocess.TimeoutExpired as late:
        output, status = late.stdout or b"", f"no end after {UNIT_DEADLINE_S} s"
    return output.decode(errors="replace"), status, time.monotonic() - begun


def judge_unit(program: Path, output: str, status: str, tally: Tally) -> None:
    """By its report in TAP. A crash or a hang is a failure of its own."""
    clean = status == "0"
    passed = re.findall(r"^ok \d+ - (?!.*# SKIP)", output, re.M)
    failed = re.findall(r"^not ok \d+ - (.*)", output, re.M)
    skipped = re.findall(r"^ok \d+ (?:- )?(.*# SKIP.*)", output, re.M)
    tally.passed += len(passed)
    tally.skipped += [f"{program.name}: {name}" for name in skipped]
    for name in failed:
        tally.fail(f"{program.name}: {name}")
    if not clean and not failed or not passed and not failed and not skipped:
        tally.fail(f"{program.name}: ended with {status}")
    if clean and not failed:
        print(f"  ok    {program.name} ({len(passed)})", flush=True)
    else:
        print(f"  FAIL  {program.name}: {status}\n{output}", flush=True)
    for note in re.findall(r"^.*left out:.*$", output, re.M):
        print(f"        {note.strip()}", flush=True)


def starts_threads(source: Path) -> bool:
    """Whether ThreadSanitizer, under which a double loop takes minutes, has anything to see in this C test."""
    return "tests/unit/server" in str(source) or "pthread_create" in source.read_text()


def run_pytest(folder: Path, files: list[Path], build: Path, tally: Tally, options: list[str]) -> None:
    """Python tests of one folder, judged by their JUnit report, never by its summary alone."""
    env = dict(os.environ, **SANITIZERS, VOICEPRINT_BUILD=str(build.resolve()), PYTHONDONTWRITEBYTECODE="1")
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
                   f"--timeout={CASE_DEADLINE_S}", f"--junitxml={report}",
                   *options, *map(str, files)]
        try:
            done = subprocess.run(command, cwd=ROOT, env=env, timeout=PYTEST_DEADLINE_S, check=False)
            status = done.returncode
        except subprocess.TimeoutExpired:
            tally.fail(f"{folder.name}: no end after {PYTEST_DEADLINE_S} s")
            return
        if not report.exists():
            tally.fail(f"{folder.name}: pytest ended with {status} and left no report")
            return
        before = tally.failed, len(tally.skipped)
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            name = f"{folder.name}: {case.get('classname')}.{case.get('name')}"
            tally.seconds[name] = float(case.get("time") or 0)
            if case.find("failure") is not None or case.find("error") is not None:
                tally.fail(name)
            elif (skip := case.find("skipped")) is not None:
                tally.skipped.append(f"{name}: {skip.get('message')}")
            else:
                tally.passed += 1
        left_out = status == NO_TESTS_COLLECTED and len(tally.skipped) > before[1]
        if status != 0 and not left_out and tally.failed == before[0]:
            tally.fail(f"{folder.name}: pytest ended with {status}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build/release"), help="build folder")
    parser.add_argument("--only", default="", help="run only the tests whose path contains this")
    parser.add_argument("--pages", action="store_true", help="only the tests in a browser")
    parser.add_argument("--first", action="store_true", help="a Python suite ends with its first failure")
    parser.add_argument("--named", default="", help="run only the tests whose name contains this")
    args = parser.parse_args()

    if os.environ.get("RECORDINGS") != "required" and not Path(os.environ.get("SPEECH_DIR", "")).is_dir():
        print("left out: the tests on real speech; SPEECH_DIR names no folder", flush=True)
    tally = Tally()
    programs = sorted(p for pattern in ("unit/**/test_*", "fuzz/fuzz_*")
                      for p in (args.build / "tests").glob(pattern)
                      if p.suffix == "" and os.access(p, os.X_OK) and not args.pages
                      and (ROOT / p.relative_to(args.build)).with_suffix(".c").exists())
    programs = [program for program in programs if args.only in str(program)]
    if args.build.name == "tsan":
        alone = [p for p in programs if not starts_threads((ROOT / p.relative_to(args.build)).with_suffix(".c"))]
        tally.skipped += [f"{program.name}: starts no threads" for program in alone]
        programs = [program for program in programs if program not in alone]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each is one process that shares nothing
        for program, (output, status, seconds) in zip(programs, pool.map(lambda program: run_unit(program, args.named), programs)):
            if args.named and status == "0" and not re.search(r"^(not )?ok", output, re.M):
                continue  # no test of that name
            judge_unit(program, output, status, tally)
            tally.seconds[program.name] = seconds
    folders = [ROOT / "tests/http", ROOT / "tests/siege", ROOT / "tests/cli"]
    if args.build.name == "release":  # Python tools do not change with the sanitizer
        folders.append(ROOT / "tests/tools")
    if args.pages:
        folders = [ROOT / "tests/pages"]
    for folder in folders:
        every = sorted(folder.glob("test_*.py"))
        files = [file for file in every if args.only in str(file)]
        if files:  # where it is all of them the folder, so that conftest.py may leave some out
            run_pytest(folder, [folder] if files == every else files, args.build, tally,
                       [*(["--exitfirst"] if args.first else []), *(["-k", args.named] if args.named else [])])

    for name, seconds in sorted(tally.seconds.items(), key=lambda item: -item[1])[:N_SLOWEST]:
        print(f"slow: {seconds:6.1f} s  {name}")
    for name in tally.skipped:
        print(f"skipped: {name}")
    for name in tally.failures:
        print(f"FAILED: {name}")
    tail = f", {len(tally.skipped)} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{tail}")
    return 1 if tally.failed or tally.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
