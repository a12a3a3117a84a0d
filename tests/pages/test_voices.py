"""Two voices: clips in, an answer out, and the answer is the service's own."""

from __future__ import annotations

import time
from pathlib import Path

import numpy
import pytest
from ask import compare
from browser import Browser
from conftest import read_wav, write_wav
from selenium.webdriver.common.by import By
from service import Service


def test_same_voice(page: Browser, service: Service, voices: dict[str, Path]) -> None:
    page.drop("a", voices["a-1"])
    page.drop("b", voices["a-2"])
    expected = compare(service, [voices["a-1"]], [voices["a-2"]])
    assert expected["same_speaker"] and 0.9 < expected["calibrated"]["p"] < 0.99
    assert page.verdict().text == "Very likely the same voice"
    assert page.verdict().get_attribute("class") == "verdict same"
    # The file goes as it is; what is left is rounding in JSON and print.
    assert page.score() == pytest.approx(expected["score"], abs=6e-4)
    assert page.answer()["score"] == pytest.approx(expected["score"], abs=1e-5)
    scale = page.find(".scale")
    assert f"{expected['score']:.2f}" in scale.get_attribute("aria-label")
    assert f"threshold {expected['threshold']:.2f}" in scale.get_attribute("aria-label")


def test_different_voices(page: Browser, service: Service, voices: dict[str, Path]) -> None:
    page.choose("a", voices["a-1"])
    page.choose("b", voices["b-1"])
    expected = compare(service, [voices["a-1"]], [voices["b-1"]])
    assert not expected["same_speaker"] and 0.01 < expected["calibrated"]["p"] < 0.1
    assert page.verdict().text == "Very likely two different voices"
    assert page.verdict().get_attribute("class") == "verdict different"
    assert page.score() == pytest.approx(expected["score"], abs=6e-4)
    probability = page.all(".facts dd")[2].text
    assert float(probability.split()[-2]) == pytest.approx(100 * expected["calibrated"]["p"], abs=0.6)


def test_marker_sits_where_the_score_is(page: Browser, voices: dict[str, Path]) -> None:
    page.choose("a", voices["a-1"])
    page.choose("b", voices["b-1"])
    shown = page.score()
    track, marker = page.find(".scale .track").rect, page.find(".scale .marker").rect
    share = (marker["x"] + marker["width"] / 2 - track["x"]) / track["width"]
    assert share == pytest.approx((shown + 1) / 2, abs=0.01)


def test_several_clips_a_side_score_as_the_service_does(
        page: Browser, service: Service, voices: dict[str, Path]) -> None:
    """The page averages embeddings itself; the service, given all clips at once, must agree."""
    page.choose("a", voices["a-1"], voices["a-2"])
    page.choose("b", voices["b-1"])
    expected = compare(service, [voices["a-1"], voices["a-2"]], [voices["b-1"]])
    assert page.score() == pytest.approx(expected["score"], abs=6e-4)
    agreement = next(fact for fact in page.all(".facts div") if "2 clips" in fact.text)
    assert float(agreement.text.split()[-1]) == pytest.approx(expected["a"]["coherence"], abs=0.006)


def test_removing_a_clip_takes_its_part_back(
        page: Browser, service: Service, voices: dict[str, Path]) -> None:
    page.choose("a", voices["a-1"], voices["b-1"])
    page.choose("b", voices["a-2"])
    page.settled("a", 2)
    mixed = page.score()
    page.cards("a")[1].find_element(By.CSS_SELECTOR, "[aria-label^=Remove]").click()
    page.wait("another score", lambda: page.all(".verdict") and page.score() != mixed)
    expected = compare(service, [voices["a-1"]], [voices["a-2"]])
    assert page.score() == pytest.approx(expected["score"], abs=6e-4)


def test_the_clips_that_come_with_the_page(page: Browser) -> None:
    page.find("#sample-same").click()
    assert page.verdict().text.endswith("the same voice")
    page.find("#sample-different").click()
    page.wait("the other verdict", lambda: page.all(".verdict")
              and page.verdict().text.endswith("two different voices"))
    assert [len(page.cards(side)) for side in "ab"] == [1, 1]


def likeness(part: numpy.ndarray, whole: numpy.ndarray) -> float:
    """The highest normalised correlation of part [n] with any stretch of whole, 1 for a copy."""
    products = numpy.correlate(whole, part, mode="valid")
    energy = numpy.convolve(whole ** 2, numpy.ones(len(part)), mode="valid")
    return float((products / numpy.sqrt(energy * (part ** 2).sum())).max())


def test_microphone(page: Browser, service: Service, voices: dict[str, Path],
                    tmp_path: Path) -> None:
    """The microphone plays voice-a-1 over and over: that is what was recorded, and can be saved."""
    page.microphone(service.url, allowed=True)
    button = page.find("[aria-label='Record, Voice A']")
    button.click()
    level = page.wait("a level", lambda: page.find(".level div").size["width"] > 20 or None)
    assert level
    time.sleep(3)
    assert button.text.startswith("Stop (")
    button.click()
    card = page.settled("a")[0]
    assert card.get_attribute("data-state") == "ready", card.text
    assert 2.5 < float(card.find_element(By.CSS_SELECTOR, "h3 .muted").text.split()[0]) < 6
    saved = read_wav(page.download(card.find_element(By.CSS_SELECTOR, "a[download]"), tmp_path))
    middle = saved[16000:28000]
    assert likeness(middle, numpy.tile(read_wav(voices["a-1"]), 2)) > 0.95
    assert likeness(middle, numpy.tile(read_wav(voices["b-1"]), 2)) < 0.5


def test_pictures_show_the_sound(page: Browser, tmp_path: Path, voices: dict[str, Path]) -> None:
    """Half silence, half voice: the waveform's ink and the spectrogram's light are in its half."""
    samples = read_wav(voices["a-1"])
    samples[:len(samples) // 2] = 0
    page.choose("a", write_wav(tmp_path / "half.wav", samples))
    page.settled("a")
    for selector, channel in ((".side-a canvas.wave", 3), (".side-a canvas.mel", 0)):
        left, right = page.run("""
            const canvas = document.querySelector(given[0]);
            const { width, height } = canvas;
            const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
            const ink = [0, 0];
            for (let y = 0; y < height; y++) {
              for (let x = 0; x < width; x++) ink[+(x >= width / 2)] += data[4 * (y * width + x) + given[1]];
            }
            return ink;""", selector, channel)
        assert right > 3 * left, f"{selector}: {left} {right}"


def test_warnings_are_sentences(page: Browser, tmp_path: Path, voices: dict[str, Path]) -> None:
    samples = read_wav(voices["a-1"])
    page.choose("a", write_wav(tmp_path / "short.wav", samples[:16000]))
    page.choose("b", write_wav(tmp_path / "telephone.wav", samples[::2], rate=8000))
    short, telephone = page.settled("a")[0], page.settled("b")[0]
    assert "Short. Three seconds" in short.text
    assert "Telephone sound" in telephone.text


def test_real_voices(page: Browser, service: Service, speech: Path, trained: None) -> None:
    """A few trials of the list, both kinds: the page decides as the service does, and rightly."""
    trials = [line.split() for line in (speech / "trials.txt").read_text().splitlines()]
    threshold = compare(service, [speech / trials[0][0]], [speech / trials[0][1]])["threshold"]
    for wanted in ("1", "0"):
        first, second, _ = next(trial for trial in trials if trial[2] == wanted)
        page.open(service.url + "/")
        page.choose("a", speech / first)
        page.choose("b", speech / second)
        expected = compare(service, [speech / first], [speech / second])
        assert page.score() == pytest.approx(expected["score"], abs=2e-3)
        assert ("the same voice" in page.verdict().text) == (expected["score"] >= threshold)


@pytest.mark.parametrize("name", ["m4a-aac-44k.m4a", "webm-opus.webm", "mp3-128k-44k.mp3",
                                  "ogg-opus-24kbps.opus", "flac-24bit-48k.flac",
                                  "wav-pcm16-44100.wav", "wav-float32-16k.wav"])
def test_what_the_browser_decodes(page: Browser, speech: Path, name: str) -> None:
    page.choose("a", speech / "formats" / name)
    card = page.settled("a")[0]
    assert card.get_attribute("data-state") == "ready", card.text
    assert card.find_element(By.CSS_SELECTOR, "canvas.wave").is_displayed()


@pytest.mark.parametrize("name", ["aiff-pcm16-16k.aiff", "caf-pcm16-16k.caf"])
def test_what_only_the_service_decodes(page: Browser, speech: Path, name: str) -> None:
    page.choose("a", speech / "formats" / name)
    card = page.settled("a")[0]
    assert card.get_attribute("data-state") == "ready", card.text
    assert "the service read it" in card.text
