"""Who spoke when: the turns over the waveform, played, saved, and what goes wrong on the way.

The service's answer is a made-up one where the page is under test, so that every turn is known."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy
import pytest
from browser import Browser
from conftest import read_wav, write_wav
from selenium.webdriver.common.keys import Keys
from service import Service
from test_look import LOOKS, fits, serious

RATE = 16000


def turn(start: float, end: float, speaker: int) -> dict:
    return {"start": start, "end": end, "speaker": f"SPEAKER_{speaker:02}"}


# 8 s; between 3 and 4 both speak, and the second is shown.
SEGMENTS = [turn(0.5, 4.0, 0), turn(3.0, 5.0, 1), turn(6.0, 7.5, 0)]
EXCLUSIVE = [turn(0.5, 3.0, 0), turn(3.0, 5.0, 1), turn(6.0, 7.5, 0)]
ANSWER = {
    "model": "m", "model_digest": "sha256:" + 64 * "0", "segmentation": None, "engine": "vad",
    "duration_s": 8.0, "speech_s": 6.0, "overlap_s": 1.0, "num_speakers": 2,
    "num_speakers_from": "estimated", "segments": [{**t, "confidence": 0.5} for t in SEGMENTS],
    "exclusive": EXCLUSIVE,
    "speakers": [{"speaker": "SPEAKER_00", "speech_s": 5.0, "share": 0.714, "segments": 2, "coherence": 0.9},
                 {"speaker": "SPEAKER_01", "speech_s": 2.0, "share": 0.286, "segments": 1, "coherence": 0.9}],
    "warnings": ["no_overlap_detection"], "timing_ms": {"total": 1.0}, "request_id": "r"}


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """8 s of sound: loud where somebody speaks, still elsewhere."""
    samples = numpy.random.default_rng(1).uniform(-0.5, 0.5, 8 * RATE)
    loud = numpy.zeros(8 * RATE)
    for t in SEGMENTS:
        loud[int(t["start"] * RATE):int(t["end"] * RATE)] = 1
    return write_wav(tmp_path / "talk.wav", samples * loud)


def answering(page: Browser, *lines: dict, status: int = 200, pause_ms: int = 0,
              kind: str = "application/x-ndjson", cut: bool = False) -> None:
    """From now on /diarize answers with these lines, pause_ms apart; others go to the service."""
    page.run("""
        const [lines, status, pause, kind, cut] = given;
        const real = window.real ??= window.fetch;
        window.asked = [];
        window.fetch = (path, options) => {
          if (!String(path).startsWith('diarize')) return real(path, options);
          window.asked.push({ path, accept: options.headers.Accept, bytes: options.body.size });
          let i = 0;
          const body = new ReadableStream({ async pull(out) {
            if (i === lines.length) return cut ? out.error(new TypeError('gone')) : out.close();
            if (i > 0) await new Promise((go) => setTimeout(go, pause));
            const text = JSON.stringify(lines[i++]) + '\\n';
            // In two pieces: a line may be cut anywhere on its way.
            out.enqueue(new TextEncoder().encode(text.slice(0, 7)));
            out.enqueue(new TextEncoder().encode(text.slice(7)));
          } });
          return Promise.resolve(new Response(body, { status, headers: { 'Content-Type': kind } }));
        };""", list(lines), status, pause_ms, kind, cut)


def open_talk(page: Browser, service: Service) -> None:
    page.open(service.url + "/#talk")
    assert page.find("#talk").is_displayed() and not page.find("#two").is_displayed()


def shown(page: Browser, service: Service, talk: Path) -> list:
    """The page with the made-up answer; its turns in order of time."""
    open_talk(page, service)
    answering(page, ANSWER)
    page.choose("talk", talk)
    page.settled("talk")
    turns = page.wait("the turns", lambda: page.all(".turn"))
    return sorted(turns, key=lambda t: t.rect["x"])


def test_turns_stand_where_they_were_spoken(page: Browser, service: Service, talk: Path) -> None:
    turns = shown(page, service, talk)
    lane = page.find(".lane").rect
    assert len(turns) == 3 and len(page.all(".lane")) == 2
    for button, t in zip(turns, SEGMENTS, strict=True):
        assert (button.rect["x"] - lane["x"]) / lane["width"] == pytest.approx(t["start"] / 8, abs=0.004)
        assert button.rect["width"] / lane["width"] == pytest.approx((t["end"] - t["start"]) / 8, abs=0.004)
    assert turns[0].get_attribute("aria-label") == "Voice 1, 0:00.5 to 0:04.0"
    assert turns[0].rect["y"] == turns[2].rect["y"] < turns[1].rect["y"]
    said = page.cards("talk")[0].text
    assert "2 voices in 8.0 s, of which 6.0 s are speech." in said
    assert "Where people speak at once, one of them is shown." in said
    assert "Voice 2: 2.0 s, 29 % of the speech, 1 turn" in page.find(".legend").text


def test_waveform_has_the_voices_colours(page: Browser, service: Service, talk: Path) -> None:
    shown(page, service, talk)
    colours = [swatch.value_of_css_property("background-color") for swatch in page.all(".swatch")]
    wanted = [tuple(int(x) for x in c[c.index("(") + 1:-1].split(",")[:3]) for c in colours]
    pixels = page.run("""
        const canvas = document.querySelector('.timeline canvas');
        const { width, height } = canvas;
        const { data } = canvas.getContext('2d').getImageData(0, height / 2, width, 1);
        const at = (share) => [...data.slice(4 * Math.floor(share * width))].slice(0, 4);
        return given[0].map((seconds) => at(seconds / 8));""", [1.5, 3.5, 6.5, 5.5])
    assert [tuple(p[:3]) for p in pixels[:3]] == [wanted[0], wanted[1], wanted[0]]
    assert tuple(pixels[3][:3]) not in wanted


def playing(page: Browser) -> list[str]:
    return [button.get_attribute("aria-label") for button in page.all(".turn.playing")]


def test_a_click_plays_the_turn_and_stops_at_its_end(page: Browser, service: Service, talk: Path) -> None:
    turns = shown(page, service, talk)
    turns[2].click()
    begun = time.monotonic()
    page.wait("the sound", lambda: playing(page) == ["Voice 1, 0:06.0 to 0:07.5"])
    head = page.find(".playhead").rect["x"]
    page.wait("the end", lambda: not page.find(".playhead").is_displayed())
    assert 1.0 < time.monotonic() - begun < 6
    lane = page.find(".lane").rect
    assert 6 / 8 - 0.01 <= (head - lane["x"]) / lane["width"] <= 7.5 / 8
    turns[0].click()
    page.wait("the sound", lambda: "Voice 1, 0:00.5 to 0:04.0" in playing(page))
    turns[0].click()  # once more: quiet
    page.wait("silence", lambda: playing(page) == [])


def test_turns_by_keyboard(page: Browser, service: Service, talk: Path) -> None:
    turns = shown(page, service, talk)
    assert [t.get_attribute("tabindex") for t in turns] == ["0", "-1", "-1"]
    turns[0].send_keys(Keys.ARROW_RIGHT)
    active = page.driver.switch_to.active_element
    assert active.get_attribute("aria-label") == "Voice 2, 0:03.0 to 0:05.0"
    active.send_keys(Keys.END)
    active = page.driver.switch_to.active_element
    assert active.get_attribute("aria-label") == "Voice 1, 0:06.0 to 0:07.5"
    active.send_keys(Keys.ENTER)
    page.wait("the sound", lambda: playing(page) == ["Voice 1, 0:06.0 to 0:07.5"])


def test_number_of_voices_is_asked_for(page: Browser, service: Service, talk: Path) -> None:
    shown(page, service, talk)
    first = page.run("return window.asked")
    assert [(a["path"], a["accept"]) for a in first] == [("diarize", "application/x-ndjson")]
    assert first[0]["bytes"] == 44 + 2 * 8 * RATE
    page.find("#talk-count option[value='3']").click()
    page.wait("the other question", lambda: len(page.run("return window.asked")) == 2)
    assert page.run("return window.asked[1].path") == "diarize?num_speakers=3"
    page.settled("talk")


def test_progress_then_the_answer(page: Browser, service: Service, talk: Path) -> None:
    open_talk(page, service)
    answering(page, {"progress": 0.25, "stage": "decode"}, {"progress": 0.75, "stage": "embed"}, ANSWER,
              pause_ms=1500)
    page.choose("talk", talk)
    bar = page.wait("the bar", lambda: page.find("#talk progress"))
    page.wait("a quarter", lambda: bar.get_attribute("value") == "0.25")
    page.wait("three quarters", lambda: bar.get_attribute("value") == "0.75")
    assert not page.find("#talk-count").is_enabled()
    page.settled("talk")
    assert not bar.is_displayed() and len(page.all(".turn")) == 3


PROBLEM = {"type": "urn:voiceprintd:problem:undecodable-audio", "title": "Audio cannot be decoded",
           "status": 422, "detail": "cut after 3 s"}


@pytest.mark.parametrize("lines, options, title", [
    ([{"progress": 0.5, "stage": "embed"}, PROBLEM], {}, "Audio cannot be decoded"),
    ([PROBLEM], {"status": 422, "kind": "application/problem+json"}, "Audio cannot be decoded"),
    ([{"progress": 0.5, "stage": "embed"}], {"cut": True}, "The answer broke off"),
    ([{"progress": 0.5, "stage": "embed"}], {}, "The answer broke off"),
])
def test_a_problem_on_the_way(page: Browser, service: Service, talk: Path, lines: list, options: dict,
                              title: str) -> None:
    open_talk(page, service)
    answering(page, *lines, **options)
    page.choose("talk", talk)
    card = page.settled("talk")[0]
    assert card.get_attribute("data-state") == "failed" and title in card.text
    assert page.all(".turn") == []


def test_the_next_takes_the_place_of_the_last(page: Browser, service: Service, talk: Path,
                                              tmp_path: Path) -> None:
    shown(page, service, talk)
    other = write_wav(tmp_path / "other.wav", read_wav(talk)[:3 * RATE])
    answering(page, {**ANSWER, "num_speakers": 0, "speakers": [], "segments": [], "exclusive": [],
                     "speech_s": 0, "warnings": ["no_speech", "short_audio"]}, kind="application/json")
    page.choose("talk", other)
    page.wait("the other", lambda: "Nobody speaks in it." in page.cards("talk")[0].text)
    assert len(page.cards("talk")) == 1 and page.all(".turn") == []
    page.find("[aria-label='Remove other.wav']").click()
    assert page.cards("talk") == []


def test_saved(page: Browser, service: Service, talk: Path, tmp_path: Path) -> None:
    shown(page, service, talk)
    for i, (label, wanted) in enumerate((("RTTM", None), ("JSON", ANSWER))):
        folder = tmp_path / str(i)
        folder.mkdir()
        button = next(b for b in page.all("#talk-result button") if b.text == f"Save as {label}")
        file = page.download(button, folder)
        if wanted:
            assert json.loads(file.read_text()) == wanted
        else:
            assert file.read_text().splitlines() == [
                "SPEAKER talk 1 0.500 3.500 <NA> <NA> SPEAKER_00 <NA> <NA>",
                "SPEAKER talk 1 3.000 2.000 <NA> <NA> SPEAKER_01 <NA> <NA>",
                "SPEAKER talk 1 6.000 1.500 <NA> <NA> SPEAKER_00 <NA> <NA>"]


@pytest.mark.parametrize("size, scheme", LOOKS)
def test_talk_looks(page: Browser, service: Service, talk: Path, size: tuple[int, int], scheme: str) -> None:
    page.look(size, scheme)
    shown(page, service, talk)
    assert serious(page) == []
    assert fits(page)


def test_the_service_itself(page: Browser, service: Service) -> None:
    """The generated talk goes to the real endpoint; what it says is what is shown."""
    open_talk(page, service)
    page.find("#sample-talk").click()
    card = page.settled("talk")[0]
    assert card.get_attribute("data-state") == "ready", card.text
    answer = json.loads(page.find("#talk-result pre").get_attribute("textContent"))
    assert len(page.all(".turn")) == len(answer["segments"]) > 0
    assert len(page.all(".lane")) == answer["num_speakers"] == len(answer["speakers"])
