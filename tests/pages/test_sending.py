"""What leaves the browser: the file as it is, and WAV made of it only where the service does not take the file."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import time
from pathlib import Path

import numpy
import ogg
import pytest
from ask import start
from browser import Browser
from conftest import write_wav
from service import Service

AS_IT_IS, AS_WAV = "application/octet-stream", "audio/wav"


def watch(page: Browser) -> None:
    """From now on the page notes each file that it sends."""
    page.run("""
        const real = window.fetch;
        window.sent = [];
        window.fetch = async (path, options) => {
          if (options.body instanceof Blob) {
            const bytes = await options.body.arrayBuffer();
            const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
            window.sent.push({ type: options.headers['Content-Type'], head: [...new Uint8Array(bytes.slice(0, 44))],
                               digest: Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('') });
          }
          return real(path, options);
        };""")


def sent(page: Browser) -> list[dict]:
    return page.run("return window.sent")


def rate(wav_head: list[int]) -> tuple[int, int]:
    """Sample rate and channels of the WAV that begins with these bytes."""
    channels, hertz = struct.unpack("<HI", bytes(wav_head)[22:28])
    return hertz, channels


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    """3 s at 44.1 kHz whose channels have nothing to do with each other."""
    return write_wav(tmp_path / "stereo.wav", numpy.random.default_rng(5).uniform(-0.3, 0.3, (3 * 44100, 2)), 44100)


def encode(given: Path, *options: str) -> Path:
    made = given.with_name("made" + options[-1])
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", given, *options[:-1], made], check=True, timeout=60)
    return made


@pytest.mark.parametrize("options", [(), ("-c:a", "aac", ".m4a"), ("-c:a", "libopus", ".webm")], ids=["wav", "m4a", "webm"])
def test_a_file_is_sent_as_it_is(page: Browser, stereo: Path, options: tuple[str, ...]) -> None:
    file = encode(stereo, *options) if options else stereo
    watch(page)
    page.choose("a", file)
    card = page.settled("a")[0]
    assert card.get_attribute("data-state") == "ready", card.text
    assert [(each["type"], each["digest"]) for each in sent(page)] == [
        (AS_IT_IS, hashlib.sha256(file.read_bytes()).hexdigest())]
    assert card.find_element("css selector", "canvas.wave").is_displayed()
    assert card.text.count("The two channels differ") == 1


def test_what_the_service_cannot_read_goes_as_wav(page: Browser, stereo: Path) -> None:
    """Vorbis beside a stream that the service does not know. It hears one channel then: that two differ is the browser's word."""
    file = encode(stereo, "-c:a", "libvorbis", ".ogg")
    whole = file.read_bytes()
    second = whole.index(b"OggS", 4)
    file.write_bytes(whole[:second] + ogg.page([b"no codec"], 0, 2, serial=77) + whole[second:])
    watch(page)
    page.choose("a", file)
    card = page.settled("a")[0]
    assert card.get_attribute("data-state") == "ready", card.text
    assert [each["type"] for each in sent(page)] == [AS_IT_IS, AS_WAV]
    assert rate(sent(page)[1]["head"]) == (16000, 1)
    assert card.text.count("The two channels differ") == 1


def test_what_is_too_large_goes_as_wav_where_that_is_smaller(chromium: Browser, stereo: Path) -> None:
    with start(max_body_bytes=300_000, max_buffered_bytes=10_000_000) as service:
        chromium.look()
        chromium.open(service.url + "/")
        watch(chromium)
        chromium.choose("a", stereo)
        card = chromium.settled("a")[0]
        assert card.get_attribute("data-state") == "ready", card.text
        assert [each["type"] for each in sent(chromium)] == [AS_IT_IS, AS_WAV]
        long = write_wav(stereo.with_name("long.wav"), numpy.resize([0.3, -0.3, 0.1], 16000 * 12))
        chromium.choose("b", long)
        card = chromium.settled("b")[0]
        assert card.find_element("css selector", "[data-problem]").get_attribute("data-problem") == "body-too-large"
        assert len(sent(chromium)) == 3
        assert chromium.console() == []


def test_what_nobody_can_read_is_sent_once(page: Browser, tmp_path: Path) -> None:
    (tmp_path / "note.wav").write_text("This is not a recording.\n" * 200)
    watch(page)
    page.choose("a", tmp_path / "note.wav")
    card = page.settled("a")[0]
    assert card.find_element("css selector", "[data-problem]").get_attribute("data-problem") == "unsupported-audio"
    assert [each["type"] for each in sent(page)] == [AS_IT_IS]


def test_the_microphone_sends_what_the_service_hears(page: Browser, service: Service) -> None:
    """16 kHz, whatever the microphone's own rate is."""
    page.microphone(service.url, allowed=True)
    watch(page)
    button = page.find("[aria-label='Record, Voice A']")
    button.click()
    page.wait("the recording", lambda: button.text.startswith("Stop ("))
    time.sleep(2)
    button.click()
    assert page.settled("a")[0].get_attribute("data-state") == "ready"
    assert [rate(each["head"]) for each in sent(page)] == [(16000, 1)]
