"""One server and one browser for all tests; each test opens its own page."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "http")]  # browser.py here, service.py there

from ask import compare, is_trained, start  # noqa: E402
from browser import Browser  # noqa: E402
from service import ROOT, Service  # noqa: E402

SPEECH = Path(os.environ.get("SPEECH_DIR", ROOT.parent / "shared" / "audio")).resolve()


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The clips that come with the pages: a-1 and a-2 of one generated voice, b-1 of another."""
    folder = tmp_path_factory.mktemp("voices")
    subprocess.run([sys.executable, ROOT / "tools/pages/voices.py", folder], check=True, timeout=60)
    return {file.stem.removeprefix("voice-"): file for file in folder.iterdir()}


@pytest.fixture(scope="session")
def service(voices: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With a threshold and a calibration between the two kinds of generated pairs, so that both
    decisions occur with whatever model is there."""
    with start() as scout:
        same = compare(scout, [voices["a-1"]], [voices["a-2"]])["score"]
        other = compare(scout, [voices["a-1"]], [voices["b-1"]])["score"]
    assert same > other, f"the model does not tell the generated voices apart: {same}, {other}"
    middle, slope = (same + other) / 2, 8 / (same - other)
    calibration = f"{slope:.6f},{-slope * middle:.6f}"
    with start(threshold=f"{middle:.6f}", calibration=calibration, queue_size=16,
               voices=f"sqlite:{tmp_path_factory.mktemp('known') / 'voices.db'}", enrol_min_speech_s=0) as running:
        yield running


@pytest.fixture(scope="session")
def chromium(voices: dict[str, Path],
             tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"), voices["a-1"])
    yield browser
    browser.close()


@pytest.fixture
def page(chromium: Browser, service: Service) -> Iterator[Browser]:
    """The first view, just opened. Whatever a test does, the console stays clean and every
    request goes to the service."""
    chromium.look()
    chromium.open(service.url + "/")
    yield chromium
    assert chromium.console() == []
    own = (service.url + "/", f"blob:{service.url}/", "data:", "about:")
    strangers = [url for url in chromium.requests() if not url.startswith(own)]
    assert strangers == []


@pytest.fixture(scope="session")
def speech() -> Path:
    """Real recordings. A test on them says it is left out where there are none, unless RECORDINGS=required."""
    if not (SPEECH / "trials.txt").is_file():
        if os.environ.get("RECORDINGS") == "required":
            pytest.fail("SPEECH_DIR names no speech")
        pytest.skip("left out: no real speech; SPEECH_DIR names no folder")
    return SPEECH


@pytest.fixture(scope="session")
def trained() -> None:
    if not is_trained():
        pytest.skip("left out: decisions on real speech need the trained model in models/")


def write_wav(file: Path, samples: numpy.ndarray, rate: int = 16000) -> Path:
    """samples [n] or [n, channels] in [-1, 1] as 16-bit PCM."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        out.setsampwidth(2)
        out.setframerate(rate)
        whole = numpy.round(numpy.clip(samples, -1, 32767 / 32768) * 32768)
        out.writeframes(whole.astype("<i2").tobytes())
    return file


def read_wav(file: Path) -> numpy.ndarray:
    with wave.open(str(file), "rb") as given:
        return numpy.frombuffer(given.readframes(given.getnframes()), "<i2") / 32768
