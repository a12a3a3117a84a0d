"""How the pages look and handle: axe in both colour schemes and at phone width, keyboard alone,
no scrolling sideways."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import DESKTOP, PHONE, Browser
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from service import ROOT, Service
from test_docs import execute, open_docs, unfold

AXE = ROOT / "build" / "axe" / "axe_playwright_python" / "axe.min.js"
LOOKS = [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")]


def serious(page: Browser) -> list[str]:
    """Findings of axe-core that are serious or critical, in words."""
    page.driver.execute_script(AXE.read_text(encoding="utf-8"))
    findings = page.run("return (await axe.run()).violations")
    return [f"{finding['id']}: {node['html'][:160]} {node['failureSummary']}"
            for finding in findings if finding["impact"] in ("serious", "critical")
            for node in finding["nodes"]]


def fits(page: Browser) -> bool:
    return page.driver.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def fill_two(page: Browser, clips: list[Path]) -> None:
    page.choose("a", clips[0], clips[1])
    page.choose("b", clips[2])
    page.settled("a", 2)
    page.verdict()


def fill_many(page: Browser, service: Service, clips: list[Path]) -> None:
    page.open(service.url + "/#many")
    page.choose("many", *clips)
    page.settled("many", len(clips))
    page.wait("the matrix", lambda: len(page.all(".matrix tbody tr")) == len(clips))


@pytest.mark.parametrize("size, scheme", LOOKS)
def test_two_voices(page: Browser, voices: dict[str, Path], size: tuple[int, int], scheme: str) -> None:
    page.look(size, scheme)
    fill_two(page, [voices["a-1"], voices["a-2"], voices["b-1"]])
    page.driver.execute_script("document.querySelector('details').open = true")
    assert serious(page) == []
    assert fits(page)


@pytest.mark.parametrize("size, scheme", LOOKS)
def test_many_clips(page: Browser, service: Service, voices: dict[str, Path], size: tuple[int, int],
                    scheme: str) -> None:
    page.look(size, scheme)
    fill_many(page, service, sorted(voices.values()))
    assert serious(page) == []
    assert fits(page)


@pytest.mark.parametrize("size, scheme", LOOKS)
def test_docs(page: Browser, service: Service, size: tuple[int, int], scheme: str) -> None:
    """Unfolded and with the form to try it: a call with a file, and one that has been made."""
    page.look(size, scheme)
    blocks = open_docs(page, service.url)
    for name in ("POST /embed", "GET /info"):
        unfold(page, blocks[name])
        blocks[name].find_element(By.CSS_SELECTOR, ".try-out__btn").click()
    assert execute(page, blocks["GET /info"]).startswith("200")
    assert serious(page) == []
    assert fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_plain_docs(page: Browser, service: Service, scheme: str) -> None:
    """What stays where Swagger UI does not come: here because its file does not load."""
    page.look(PHONE, scheme)
    page.cdp("Network.setBlockedURLs", urls=["*swagger-ui-bundle.js"])
    try:
        page.open(service.url + "/docs")
    finally:
        page.cdp("Network.setBlockedURLs", urls=[])
    page.driver.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.all(".operation") and not page.all(".swagger-ui")
    assert serious(page) == []
    assert fits(page)


def test_problems_and_warnings_are_legible(page: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound\n" * 100)
    for scheme in ("light", "dark"):
        page.look(DESKTOP, scheme)
        page.choose("a", bad)
        page.wait("the problem", lambda: page.all(".side-a [data-problem]"))
        assert serious(page) == []


def test_keyboard_alone(page: Browser, voices: dict[str, Path]) -> None:
    """Tab reaches every control in reading order, each visibly, and Enter works them."""
    reached = []
    for _ in range(15):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        active = page.driver.switch_to.active_element
        reached.append(active.get_attribute("aria-label") or active.text or active.get_attribute("type"))
        shown = page.driver.execute_script("""
            const marked = (e) => e && getComputedStyle(e).outlineStyle !== 'none';
            return marked(arguments[0]) || marked(arguments[0].nextElementSibling);""", active)
        assert shown, f"no focus ring on {reached[-1]}"
        if reached[-1] == "two voices":
            break
    assert reached == ["Skip to the voices", "Two voices", "Many clips", "Who spoke when", "API", "file",
                       "Record, Voice A", "file", "Record, Voice B", "one voice twice", "two voices"]
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    page.verdict()
    play = page.find("[aria-label='Play voice-a-1.wav']")
    play.send_keys(Keys.ENTER)
    page.wait("playback", lambda: play.text == "Pause")
    remove = page.find("[aria-label='Remove voice-a-1.wav']")
    remove.send_keys(Keys.ENTER)
    page.wait("the clip to go", lambda: page.cards("a") == [])
    # The focus is not lost with the button that had it.
    assert page.driver.switch_to.active_element.get_attribute("type") == "file"
