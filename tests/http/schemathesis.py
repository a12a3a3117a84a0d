#!/usr/bin/env python3
"""Schemathesis against a running service: requests made from openapi.yaml, answers judged by it.

No 5xx, no undocumented status or type, no answer outside its schema, no broken request accepted. Only one
of its checks is left out: positive_data_acceptance, because bytes that fit the schema need not be audio.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from service import ROOT, Service  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=100, help="random examples of each operation")
    parser.add_argument("--program", type=Path, default=ROOT / "build/venv-schemathesis/bin/schemathesis")
    args = parser.parse_args()
    with Service(queue_size=64, log_level="error") as service:
        command = [str(args.program), "run", str(ROOT / "openapi.yaml"), "--url", service.url, "--max-examples", str(args.examples),
                   "--checks", "all", "--exclude-checks", "positive_data_acceptance", "--phases", "examples,coverage,fuzzing",
                   "--warnings", "off", "--no-color"]
        return subprocess.run(command, check=False, timeout=900, cwd=ROOT / "build").returncode


if __name__ == "__main__":
    sys.exit(main())
