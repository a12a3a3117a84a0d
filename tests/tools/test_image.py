"""Which model goes into an installation and into the image: docker/Dockerfile and make, without building one."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def make(*arguments: str) -> str:
    """What make would do."""
    return subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True, text=True,
                          timeout=60).stdout


@pytest.mark.parametrize(("model", "source"), [(None, "voiceprint"), ("voiceprint", "voiceprint"),
                                               ("campplus", "campplus")])
def test_the_model_named_is_installed_where_programs_look(model: str | None, source: str) -> None:
    named = [f"MODEL={model}"] if model else []
    lines = make("install", "DESTDIR=/out", "PREFIX=/usr", *named).splitlines()
    copied = [line.split()[-2:] for line in lines if line.endswith("/voiceprint.safetensors")]
    assert copied == [[f"models/{source}.safetensors", "/out/usr/share/voiceprintd/voiceprint.safetensors"]]


def test_make_run_fetches_what_it_serves() -> None:
    fetch, serve = "tools/get_weights.py campplus", "--model models/campplus.safetensors"
    asked = make("run", "MODEL=campplus")
    assert 0 <= asked.find(fetch) < asked.find(serve)
    assert fetch not in make("run")


def test_the_image_takes_the_model_from_its_argument(tmp_path: Path) -> None:
    dockerfile = (ROOT / "docker/Dockerfile").read_text()
    build = dockerfile[dockerfile.index(" AS build"):]
    argument, step = build.index("ARG MODEL=voiceprint"), re.search(r'RUN (case "\$MODEL".*?esac)', build, re.S)
    assert step and argument < step.start() < build.index('MODEL="$MODEL"') < build.index("\nFROM ")
    (tmp_path / "python3").write_text('#!/bin/sh\necho "$@" >> asked\n')
    (tmp_path / "python3").chmod(0o755)
    for model, status, asked in (("voiceprint", 0, ""), ("campplus", 0, "tools/get_weights.py campplus\n"),
                                 ("wespeaker", 1, "")):
        (tmp_path / "asked").write_text("")
        done = subprocess.run(["sh", "-c", step[1]], cwd=tmp_path, capture_output=True, text=True, timeout=10,
                              env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "MODEL": model}, check=False)
        assert (done.returncode, (tmp_path / "asked").read_text()) == (status, asked), model
        assert ("MODEL is voiceprint or campplus, not 'wespeaker'" in done.stderr) == (status == 1)


def test_make_image_passes_the_model_on(tmp_path: Path) -> None:
    """tools/image.sh with a docker that only says what it was asked."""
    (tmp_path / "docker").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "docker").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for named, model in (([], "voiceprint"), (["MODEL=campplus"], "campplus")):
        said = subprocess.run(["make", "-s", "image", *named], cwd=ROOT, env=environment, check=True, text=True,
                              capture_output=True, timeout=60).stdout
        assert f"--build-arg MODEL={model} " in said
