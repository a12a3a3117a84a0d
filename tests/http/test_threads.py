"""Kernels forced one by one, and clips on the cores of workers that have nothing to do."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from service import BUILD, LARGE, ROOT, SLOWNESS, SMALL, Service, free_port, voice

KERNELS = ("avx512", "avx2", "blas")
SECONDS = (0.5, 0.97, 2.0, 3.01, 7.3)  # odd numbers of frames, one piece and many


def embedding(service: Service, clip: bytes, query: str = "") -> list[float]:
    response = service.embed(clip, query)
    assert response.status_code == 200, response.text
    return response.json()["embedding"]


# ---- kernel ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> Iterator[Service]:
    with Service(kernel="blas", workers=1) as running:
        assert running.get("/info").json()["kernel"] == "blas"
        yield running


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel(kernel: str, plain: Service) -> None:
    """Each kernel that this CPU has gives the embedding of the plain one; the others end the start."""
    port = free_port()
    if kernel not in kernels_here():
        done = subprocess.run([BUILD / "voiceprintd", "--model", SMALL, "--listen", f"127.0.0.1:{port}", "--kernel", kernel],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and f'kernel = "{kernel}": this CPU or build cannot run it' in done.stderr
        return
    with Service(kernel=kernel, workers=1) as forced:
        assert forced.get("/info").json()["kernel"] == kernel
        assert [line["kernel"] for line in forced.log_lines("model-loaded")] == [kernel]
        for seed, seconds in enumerate(SECONDS):
            clip = voice(seed, seconds)
            ours = np.array(embedding(forced, clip, "?normalize=false"))
            theirs = np.array(embedding(plain, clip, "?normalize=false"))
            assert np.linalg.norm(ours - theirs) <= 1e-5 * np.linalg.norm(theirs), seconds


def kernels_here() -> set[str]:
    """What the CPU says, where the build is for x86-64 at all: not asked of the program under test."""
    flags = set(Path("/proc/cpuinfo").read_text().split())
    v3 = {"avx2", "fma", "bmi2"} <= flags
    v4 = v3 and {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= flags
    return {"blas"} | ({"avx2"} if v3 else set()) | ({"avx512"} if v4 else set())


@pytest.mark.parametrize("word", ["sse2", "AVX2", "", "auto,blas"])
def test_kernels_that_nobody_knows(word: str) -> None:
    done = subprocess.run([BUILD / "voiceprintd", "--check-config", "--model", SMALL, "--kernel", word],
                          capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 2 and "auto|blas|avx2|avx512|neon" in done.stderr


# ---- one clip on several threads ---------------------------------------------------------------


def thread_seconds(service: Service) -> dict[str, float]:
    """Processor time of each thread but the loop."""
    seconds = {}
    for task in Path(f"/proc/{service.process.pid}/task").iterdir():
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        if task.name != str(service.process.pid):
            seconds[task.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def seconds_of_help(service: Service, before: dict[str, float]) -> float:
    """What the second busiest thread has done since."""
    now = thread_seconds(service)
    return sorted(now[task] - before[task] for task in before)[-2]


def test_an_idle_worker_helps_and_changes_nothing() -> None:
    clip = voice(3, 50.0)
    with Service(model=LARGE, workers=2, threads_per_request=1) as alone:
        expected = embedding(alone, clip)
        before = thread_seconds(alone)  # the BLAS has threads of its own, which work while it starts
        for _ in range(3):
            assert embedding(alone, clip) == expected
        assert seconds_of_help(alone, before) < 0.05, "nobody helps by default"
    with Service(model=LARGE, workers=2, threads_per_request="auto") as shared:
        assert shared.get("/info").json()["limits"]["threads_per_request"] == 2
        before = thread_seconds(shared)

        def was_helped() -> bool:
            assert embedding(shared, clip) == expected
            return seconds_of_help(shared, before) > 0.1  # how much depends on who else wants the core
        shared.wait_for(was_helped, 60 * SLOWNESS, "help")


def test_bits_do_not_depend_on_who_comes_and_goes() -> None:
    """Clips of all lengths from several clients at once: workers lend their cores and take them back."""
    clips = [voice(i, seconds) for i, seconds in enumerate(SECONDS)]
    with Service(workers=1) as alone:
        expected = [embedding(alone, clip) for clip in clips]
    with Service(workers=3, queue_size=64, threads_per_request="auto") as shared:
        failures: list[str] = []

        def client(offset: int) -> None:
            for i in range(20):
                k = (i + offset) % len(clips)
                response = shared.embed(clips[k])
                if response.status_code != 200:
                    failures.append(response.text)
                elif response.json()["embedding"] != expected[k]:
                    failures.append(f"another embedding of {SECONDS[k]} s")
        threads = [threading.Thread(target=client, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):  # a helper must not sit on the scratch of an engine that goes
            shared.send_signal(signal.SIGHUP)
        for thread in threads:
            thread.join(120 * SLOWNESS)
        assert not failures, failures[:3]
        answer = shared.compare(clips[:2], clips[2:4])
        assert answer.status_code == 200 and answer.json()["a"]["clips"] == 2
        assert shared.stop() == 0


def test_threads_may_be_more_than_workers() -> None:
    clip = voice(1, 4.0)
    with Service(workers=2, threads_per_request=32) as many, Service(workers=1, threads_per_request="auto") as one:
        assert embedding(many, clip) == embedding(one, clip)
        assert one.get("/info").json()["limits"]["threads_per_request"] == 1
