#!/usr/bin/env python3
"""Makes ready what the container tests run: base image, image under test, balancers.

Says so, and fails, where no container can run.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import balancer
import podman


def install_checkers() -> None:
    """A virtual environment for the two checkers that Debian does not have."""
    folder = podman.SCRATCH / "checkers"
    wanted = Path(__file__).with_name("requirements.txt")
    done = folder / "requirements.txt"
    if done.exists() and done.read_text() == wanted.read_text():
        return
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    subprocess.run([str(folder / "bin/pip"), "install", "-q", "-r", str(wanted)], check=True, timeout=300)
    shutil.copy(wanted, done)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default="unknown", help="version that goes into the image")
    parser.add_argument("--check", action="store_true", help="only see whether a container can run here")
    args = parser.parse_args()

    begin = time.monotonic()

    def step(text: str) -> None:
        print(f"[{time.monotonic() - begin:4.0f} s] {text}", flush=True)

    podman.prepare()
    try:
        step("base image debian:bookworm-slim")
        podman.import_base()
        said = podman.podman("run", "--rm", "--pull=never", podman.BASE, "echo", "a container runs")
        step(said)
    except (podman.ContainerError, OSError, subprocess.SubprocessError) as error:
        print(f"no container can run on this machine, so nothing was tested: {error}", file=sys.stderr)
        return 1
    if args.check:
        return 0
    step("haproxy, nginx and prometheus, unpacked")
    balancer.unpack()
    step("hadolint and the Kubernetes schemas")
    install_checkers()
    step("docker/Dockerfile")
    podman.build(args.version)
    step("ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
