"""The command line itself: help, mistakes, models that are none."""

from __future__ import annotations

import subprocess

import pytest
from conftest import MODEL, PROGRAM

COMMANDS = ("embed", "compare", "info", "fbank", "stages", "bench", "score", "diarize",
            "segment")
WITHOUT_MODEL = ("score",)


def test_help_names_every_command(run):
    for word in ("--help", "-h", "help"):
        done = run(word)
        assert done.returncode == 0 and done.stderr == ""
        for command in COMMANDS:
            assert f"\n  {command} " in done.stdout
    assert run().returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(run, command):
    done = run(command, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith(f"usage: voiceprint {command} ")
    has_model = command not in WITHOUT_MODEL
    assert ("--model FILE" in done.stdout and "untrained" in done.stdout) is has_model


@pytest.mark.parametrize("args", [
    ("no-such-command",), ("embed",), ("compare", "one.wav"), ("compare", "1", "2", "3"),
    ("info", "file.wav"), ("fbank", "a.wav"), ("fbank", "--out", "x.npy"), ("stages", "a.wav"),
    ("bench", "a.wav"), ("bench", "--frames", "8"), ("bench", "--frames", "98,"),
    ("bench", "--frames", "many"), ("bench", "--frames", "60001"), ("bench", "--repeat", "0"),
    ("embed", "--jobs", "0", "a.wav"), ("embed", "--jobs", "-1", "a.wav"),
    ("embed", "--jobs", "two", "a.wav"), ("embed", "--jobs", "257", "a.wav"),
    ("embed", "--kernel", "fast", "a.wav"), ("embed", "--no-such-option", "a.wav"),
    ("embed", "--frames", "98", "a.wav"), ("embed", "--max-duration", "nan", "a.wav"),
    ("embed", "--max-duration", "0", "a.wav"), ("embed", "a.wav", "--model"),
    ("score", "a.rttm"), ("score", "a", "b", "c"), ("segment", "a.wav", "--out", "x.npy"),
    ("segment", "--segmentation", "m", "--out", "x.npy"), ("score", "--collar", "-0.1", "a", "b"),
    ("score", "--collar", "nan", "a", "b"), ("score", "--collar", "1001", "a", "b"),
    ("score", "--model", "m", "a", "b"), ("embed", "--json", "a.wav"),
])
def test_a_wrong_command_line_ends_with_2(run, args):
    done = run(*args)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr


def test_a_model_that_is_none_is_refused(run, clip, tmp_path):
    text = tmp_path / "model.safetensors"
    text.write_text("<html>not found</html>")
    for model in (text, tmp_path / "missing.onnx"):
        for command in (("embed", clip(50)), ("info",), ("compare", clip(50), clip(50))):
            done = run(*command, "--model", model)
            assert done.returncode == 1 and done.stdout == ""
            assert done.stderr.startswith(f"voiceprint: {model}: ")


def test_the_environment_names_a_model_and_the_option_wins(run, clip):
    assert run("info", env={"VOICEPRINT_MODEL": "/no/such/model"}).returncode == 1
    assert run("info", "--model", MODEL, env={"VOICEPRINT_MODEL": "/no/such"}).returncode == 0


def test_a_place_that_cannot_be_written_is_an_error(run, clip):
    for command in ("fbank", "stages"):
        done = run(command, clip(50), "--out", "/no/such/folder/out")
        assert done.returncode == 1 and "/no/such/folder/out" in done.stderr


def test_a_closed_stdout_is_noticed(run, clip):
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "embed", "--model", MODEL, clip(50), clip(98)], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "cannot be written to" in done.stderr
