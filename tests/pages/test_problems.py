"""What goes wrong is said with the problem's title and what to do, and can be put right."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy
import pytest
import requests
from ask import full_size_model, start
from browser import Browser
from conftest import read_wav, write_wav
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from service import Service

KEY = "pages-test-key-0123456789abcdef"


def button(of: WebElement, text: str) -> WebElement:
    return next(b for b in of.find_elements(By.TAG_NAME, "button") if b.text == text)


def test_a_file_that_is_no_sound(page: Browser, tmp_path: Path) -> None:
    note = tmp_path / "note.wav"
    note.write_text("This is not a recording.\n" * 200)
    page.drop("a", note)
    card = page.settled("a")[0]
    assert card.get_attribute("data-state") == "failed"
    problem = card.find_element(By.CSS_SELECTOR, "[data-problem]")
    assert problem.get_attribute("data-problem") == "unsupported-audio"
    answer = requests.post(page.driver.current_url + "embed", data=note.read_bytes(), timeout=30,
                           headers={"Content-Type": "application/octet-stream"}).json()
    assert answer["title"] in problem.text and answer["detail"] in problem.text
    assert "Save it as WAV" in problem.text


@pytest.mark.parametrize("seconds, level, name", [(0.2, 0.3, "audio-too-short"), (2, 0, "no-signal")])
def test_a_clip_that_is_refused(page: Browser, tmp_path: Path, seconds: float, level: float,
                                name: str) -> None:
    noise = numpy.random.default_rng(1).uniform(-level, level, int(16000 * seconds))
    page.choose("a", write_wav(tmp_path / "clip.wav", noise))
    card = page.settled("a")[0]
    assert card.find_element(By.CSS_SELECTOR, "[data-problem]").get_attribute("data-problem") == name


def test_a_long_clip_can_be_cut(page: Browser, tmp_path: Path, voices: dict[str, Path]) -> None:
    long = numpy.resize(read_wav(voices["a-1"]), 16000 * 62)
    page.choose("a", write_wav(tmp_path / "long.wav", long))
    card = page.settled("a")[0]
    assert "1:02" in card.text
    button(card, "Use the first 60 s").click()
    page.wait("the shorter clip", lambda: card.get_attribute("data-state") == "ready")
    assert "Only the first part was used" in card.text


def test_overload_is_waited_out(chromium: Browser, tmp_path: Path,
                                voices: dict[str, Path]) -> None:
    """The queue is really full: others keep the worker and the one place busy with jobs of a second
    each, until the page has said so. Then it gets its answer without being asked again."""
    samples = numpy.resize(read_wav(voices["b-1"]), 16000 * 55)
    long = write_wav(tmp_path / "long.wav", samples).read_bytes()
    enough = threading.Event()
    with start(model=full_size_model(), workers=1, queue_size=1) as service:
        chromium.open(service.url + "/")

        def press() -> None:
            while not enough.is_set():
                service.embed(long)

        crowd = [threading.Thread(target=press) for _ in range(4)]
        for other in crowd:
            other.start()
        try:
            chromium.wait("a full queue", lambda: service.metric("voiceprintd_queue_depth") == 1)
            chromium.choose("a", voices["a-1"])
            notice = chromium.wait("the notice of overload",
                                   lambda: chromium.find(".side-a [data-problem=overloaded]").text)
            assert "Next try in" in notice and "Try now" in notice
        finally:
            enough.set()
            for other in crowd:
                other.join()
        assert chromium.settled("a")[0].get_attribute("data-state") == "ready"
        assert chromium.console() == []


def test_a_service_that_cannot_be_reached(page: Browser, voices: dict[str, Path]) -> None:
    page.offline(True)
    try:
        page.choose("a", voices["a-1"])
        card = page.settled("a")[0]
        assert "The service does not answer" in card.text
    finally:
        page.offline(False)
    button(card, "Try again").click()
    page.wait("the answer", lambda: card.get_attribute("data-state") == "ready")


def test_a_key_is_asked_for(chromium: Browser, tmp_path: Path, voices: dict[str, Path]) -> None:
    keys = tmp_path / "keys"
    keys.write_text(KEY + "\n")
    with start(api_keys_file=keys) as service:
        chromium.open(service.url + "/")
        field = chromium.find("#key")
        assert field.is_displayed()
        chromium.choose("a", voices["a-1"])
        assert "Enter the key" in chromium.settled("a")[0].text
        field.send_keys("not the key at all\n")
        chromium.wait("the refusal",
                      lambda: "does not know this key" in chromium.find("#key-note").text)
        field.clear()
        field.send_keys(KEY + "\n")
        chromium.wait("the field to go", lambda: not field.is_displayed())
        # The clip that was refused goes again by itself.
        card = chromium.cards("a")[0]
        chromium.wait("the clip", lambda: card.get_attribute("data-state") == "ready")
        kept = chromium.run("return [localStorage.length, sessionStorage.length, document.cookie]")
        assert kept == [0, 0, ""]
        assert chromium.console() == []


def test_a_microphone_that_is_refused(page: Browser, service: Service) -> None:
    page.microphone(service.url, allowed=False)
    page.find("[aria-label='Record, Voice A']").click()
    page.wait("the advice", lambda: "microphone is not allowed" in page.side("a").text)


def test_a_file_beside_the_zone_leaves_the_page(page: Browser, voices: dict[str, Path]) -> None:
    before = page.driver.current_url
    data = {"items": [], "files": [str(voices["a-1"])], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.cdp("Input.dispatchDragEvent", type=kind, x=5, y=5, data=data)
    assert page.driver.current_url == before
    assert page.cards("a") == []


def test_retry_after_is_obeyed(page: Browser) -> None:
    """A stand-in for fetch refuses twice: the pauses are those it asked for, and an HTML page of
    some proxy on the way is a problem like any other."""
    waits, took, answer = page.run("""
        const { call } = await import('/pages/api.js');
        const real = window.fetch;
        const refusals = [['{"type": "urn:voiceprintd:problem:overloaded", "title": "Full"}', '1'],
                          ['<h1>Bad gateway</h1>', '2']];
        window.fetch = async () => {
          const [body, after] = refusals.shift() ?? [];
          return body ? new Response(body, { status: 503, headers: { 'Retry-After': after } })
                      : new Response('{"score": 1}');
        };
        const waits = [];
        const start = performance.now();
        try {
          const answer = await call('embed', { body: 'x', type: 'audio/wav', onWait: (wait) =>
            waits.push([wait.problem.name, wait.problem.title, wait.seconds, wait.attempt]) });
          return [waits, performance.now() - start, answer];
        } finally {
          window.fetch = real;
        }""")
    assert waits == [["overloaded", "Full", 1, 1], ["http-error", "HTTP status 503", 2, 2]]
    assert 2990 < took < 5000
    assert answer == {"score": 1}


def test_it_gives_up_in_the_end(page: Browser) -> None:
    """Try now skips the pause, six attempts are the most, and the last problem stays."""
    attempts, title = page.run("""
        const { call } = await import('/pages/api.js');
        const real = window.fetch;
        let attempts = 0;
        window.fetch = async () => {
          attempts++;
          return new Response('{"title": "Full"}', { status: 503 });
        };
        try {
          await call('embed', { body: 'x', type: 'audio/wav', onWait: ({ skip }) => skip() });
          return [attempts, 'answered'];
        } catch (problem) {
          return [attempts, problem.title];
        } finally {
          window.fetch = real;
        }""")
    assert (attempts, title) == (6, "Full")


def test_many_requests_take_turns(page: Browser) -> None:
    """A folder of clips must not fill the queue for others: two in flight at most, in order."""
    most, order = page.run("""
        const { call } = await import('/pages/api.js');
        const real = window.fetch;
        let open = 0;
        let most = 0;
        const order = [];
        window.fetch = async (path) => {
          order.push(path);
          most = Math.max(most, ++open);
          await new Promise((go) => setTimeout(go, 5));
          open--;
          return new Response('{}');
        };
        try {
          await Promise.all(Array.from({ length: 20 }, (_, i) => call(String(i))));
        } finally {
          window.fetch = real;
        }
        return [most, order];""")
    assert most == 2
    assert order == [str(i) for i in range(20)]
