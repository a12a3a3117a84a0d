"""A run that is stopped, killed and paused, the one command, and what the model is compared with."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="left out: the training needs PyTorch (make venv)")
pytest.importorskip("torchaudio", reason="left out: the training needs torchaudio (make venv)")
soundfile = pytest.importorskip("soundfile", reason="left out: the training needs soundfile (make venv)")

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from made_up_speech import make_variant, run_arguments, untrained_teacher, write_corpus  # noqa: E402
from train import baselines, left_out, run, schedule, teacher, trials, whole  # noqa: E402


@pytest.fixture
def small_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    phase = schedule.Phase(0.0, (1, 1, 1, 1), (40, 40), 8)
    monkeypatch.setattr(run, "PHASES", (phase,))


def some_trials() -> trials.TrialSet:
    """Two clips each of two voices."""
    names = ["a-0", "a-1", "b-0", "b-1"]
    pairs = [(x, y) for i, x in enumerate(names) for y in names[:i]]
    return trials.TrialSet({name: torch.randn(60, 80) for name in names}, dict.fromkeys(names, "c"),
                           [trials.Trial(x, y, x[0] == y[0]) for x, y in pairs],
                           {name: np.ones(256, np.float32) for name in names})


def same_state(a: run.Run, b: run.Run) -> None:
    for one, other in ((a.model, b.model), (a.average, b.average), (a.head, b.head)):
        for name, value in one.state_dict().items():
            assert torch.equal(other.state_dict()[name], value), name
    for one, other in zip(a.optimisers, b.optimisers):
        states = one.state_dict()["state"], other.state_dict()["state"]
        assert states[0].keys() == states[1].keys() and states[0]
        for key, values in states[0].items():
            for name, value in values.items():
                assert torch.equal(torch.as_tensor(value), torch.as_tensor(states[1][key][name])), (key, name)


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, small_phases: None) -> None:
    make_variant(tmp_path / "data" / "a")
    args = run_arguments(tmp_path / "data", tmp_path / "run", "--hours", "1")
    first = run.Run(args)
    for _ in range(3):
        first.train_step(0.5)
    first.clock.worked = 36.0
    first.save()
    (tmp_path / "run" / "checkpoint.partial").write_bytes(b"cut off while it was written")
    second = run.Run(args)
    second.start()
    assert second.step == 3
    assert second.clock.progress() == pytest.approx(0.01)
    assert second.head.classes == first.head.classes
    same_state(first, second)


# The command with small steps, since a killed one must have got somewhere within a test.
SMALL_RUN = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from train import __main__ as command, run, schedule
run.PHASES = (schedule.Phase(0.0, (1, 1, 1, 1), (40, 40), 8),)
command.main()
"""


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    """Killed without warning and started again with the same words."""
    pytest.importorskip("scipy", reason="left out: the effects need SciPy")
    pytest.importorskip("soxr", reason="left out: preparing needs soxr")
    pytest.importorskip("safetensors", reason="left out: no safetensors (make venv)")
    make_variant(tmp_path / "data" / "a", n_frames=400)
    write_corpus(tmp_path, {f"s{i:02}": [2.0, 2.0] for i in range(40)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher, "load", lambda _: untrained_teacher())
        left_out.main(argparse.Namespace(source=tmp_path, out=tmp_path / "left-out", teacher=tmp_path))
    folder = tmp_path / "run"
    command = [sys.executable, "-c", SMALL_RUN, str(TOOLS), "run", str(tmp_path / "data"), str(folder), "--threads", "1",
               "--left-out", str(tmp_path / "left-out"), "--hours", "1", "--save-minutes", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 150
    while not (folder / "checkpoint.pt").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.2)
    process.kill()
    process.communicate(timeout=30)
    state = torch.load(folder / "checkpoint.pt")
    assert state["step"] >= 1 and state["worked"] > 0
    (folder / "pause").touch()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = []
        while not lines or "paused" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], "ended before it paused"
        assert lines[0].startswith(f"from step {state['step']} ")
        assert torch.load(folder / "checkpoint.pt")["step"] == state["step"] + 1
        process.terminate()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


def test_a_paused_run_waits_with_everything_on_disk(
        tmp_path: Path, small_phases: None, monkeypatch: pytest.MonkeyPatch) -> None:
    make_variant(tmp_path / "data" / "a")
    training = run.Run(run_arguments(tmp_path / "data", tmp_path / "run", "--hours", "1"))
    training.step = 1  # no evaluation of the beginning
    flag = tmp_path / "run" / "pause"
    naps = []

    def nap(_: float) -> None:
        naps.append(torch.load(tmp_path / "run" / "checkpoint.pt")["step"])
        if len(naps) == 3:
            flag.unlink()

    step = training.train_step

    def steps(progress: float) -> dict[str, float]:
        log = step(progress)
        if training.step == 3:
            flag.touch()
        training.stop = training.step == 5
        return log

    monkeypatch.setattr(run.time, "sleep", nap)
    monkeypatch.setattr(training, "train_step", steps)
    training.train(some_trials())
    assert naps == [3, 3, 3] and training.step == 5


def test_training_learns_a_batch_by_heart(tmp_path: Path, small_phases: None) -> None:
    make_variant(tmp_path / "data" / "a")
    torch.manual_seed(1)
    training = run.Run(run_arguments(tmp_path / "data", tmp_path / "run", "--hours", "1"))
    batch = training.crops.batch(8, 40, 2)
    training.crops.batch = lambda *_: batch  # type: ignore[method-assign]
    cosines = [training.train_step(0.3)["cosine"] for _ in range(60)]
    assert np.mean(cosines[:3]) < 0.2 and np.mean(cosines[-3:]) > 0.4


def test_the_schedule_ends_with_a_model(tmp_path: Path, small_phases: None) -> None:
    pytest.importorskip("safetensors", reason="left out: no safetensors (make venv)")
    make_variant(tmp_path / "data" / "a", n_frames=1100)
    training = run.Run(run_arguments(tmp_path / "data", tmp_path / "run", "--hours", "0.0003"))
    training.train(some_trials())
    assert (tmp_path / "run" / "model-latest.safetensors").exists()
    rows = (tmp_path / "run" / "evaluations.csv").read_text().splitlines()
    assert rows[0].split(",") == list(run.COLUMNS)
    first, last = (dict(zip(run.COLUMNS, row.split(","))) for row in (rows[1], rows[-1]))
    assert (first["step"], first["progress"], last["progress"]) == ("0", "0.0000", "1.0000")
    assert -1 <= float(last["teacher_cosine"]) <= 1 and last["corpus"] == "c"


def test_one_command_goes_through_all_steps_and_does_nothing_twice(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def pretend(module: object, *arguments: object) -> object:
        name = module.__name__.split(".")[-1]  # type: ignore[attr-defined]
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)  # type: ignore[attr-defined]
        parser.parse_args([str(argument) for argument in arguments])  # every step accepts its words
        done.append(name)
        return finished if name == "run" else None

    monkeypatch.setattr(whole, "step", pretend)
    monkeypatch.setattr(whole.subprocess, "run", lambda command, check: done.append(Path(command[1]).name))
    args = argparse.Namespace(source=tmp_path, work=tmp_path / "work", model=tmp_path / "m.safetensors",
                              teacher=tmp_path / "t.pt", begin=tmp_path / "b.safetensors", hours=2.0, threads=1)
    finished = False
    whole.main(args)
    assert done == ["prepare", "left_out", "run"] and "the same command goes on" in capsys.readouterr().out
    (tmp_path / "work" / "left-out").mkdir(parents=True)
    (tmp_path / "work" / "left-out" / "trials.txt").touch()
    finished = True
    done.clear()
    whole.main(args)
    assert done == ["prepare", "run", "whiten", "export", "calibrate.py"]


def test_baselines_tell_timbres_apart(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Two coloured noises, three clips each: the cepstra get all right; what is missing is said."""
    rng = np.random.default_rng(3)
    names = [f"{colour}{i}.wav" for colour in "ab" for i in range(3)]
    for name in names:
        noise = np.convolve(rng.standard_normal(16000), [1.0, 0.9 if name[0] == "a" else -0.9])[:16000]
        soundfile.write(tmp_path / name, noise / 10, 16000)
    lines = [f"{a} {b} {int(a[0] == b[0])}" for i, a in enumerate(names) for b in names[:i]]
    (tmp_path / "trials.txt").write_text("\n".join(lines))

    def missing(_: object) -> None:
        raise ImportError("No module named 'resemblyzer'")

    monkeypatch.setattr(baselines, "of_package", missing)
    monkeypatch.setattr(baselines, "of_encoder", lambda waves: {name: np.ones(2) for name in waves})
    monkeypatch.setattr(baselines, "of_teacher", lambda _, waves: {name: np.ones(2) for name in waves})
    baselines.main(argparse.Namespace(audio=tmp_path, teacher=tmp_path))
    rows = capsys.readouterr().out.splitlines()
    assert rows[1].split()[-2:] == ["50.00", "1.000"]
    assert "left out: No module named" in rows[2]
    assert rows[3].split()[-2:] == ["50.00", "1.000"]
    assert rows[4].split()[-2:] == ["0.00", "0.000"]


def test_the_encoder_to_compare_with_hears_quiet_clips_louder() -> None:
    from train import ge2e

    tone = np.sin(np.arange(16000 * 4) * 0.3).astype(np.float32)
    mels = ge2e.mel_power(0.001 * tone)
    assert mels.shape == (401, 40)
    loud, louder = ge2e.mel_power(0.5 * tone), ge2e.mel_power(0.25 * tone)
    assert loud.sum() == pytest.approx(4 * louder.sum(), rel=1e-3)  # loud ones are left alone
    assert ge2e.mel_power(0.002 * tone).sum() == pytest.approx(mels.sum(), rel=1e-3)
    assert ge2e.cut_windows(mels).shape == (4, 160, 40)
    assert ge2e.cut_windows(mels[:100]).shape == (1, 160, 40)


# One process for all: each would load PyTorch anew.
EVERY_HELP = """
import runpy, sys
program, *commands = sys.argv[1:]
for command in commands:
    sys.argv = [program, *command.split(), "--help"]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        print("==", command, end.code)
"""


def test_help() -> None:
    pytest.importorskip("scipy", reason="left out: the effects need SciPy")
    pytest.importorskip("soxr", reason="left out: preparing needs soxr")
    commands = ["", "whole", "prepare", "left-out", "run", "whiten", "export", "baselines", "vad-prepare", "vad-run",
                "tsvad-prepare", "tsvad-run", "tsvad-export"]
    done = subprocess.run([sys.executable, "-c", EVERY_HELP, TOOLS / "train", *commands],
                          capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    pages = done.stdout.split("== ")
    for command, page, end in zip(commands, pages, pages[1:]):
        assert f"usage: tools/train {command}".strip() in page and end.startswith(f"{command} 0"), (command, page)
