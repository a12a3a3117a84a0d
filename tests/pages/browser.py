"""Headless Chromium with a microphone that plays a file, and the page as its user sees it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

DEADLINE_S = 30
SCRIPT_DEADLINE_S = 90  # axe on the whole contract, unfolded, on a slow machine
DESKTOP, PHONE = (1100, 900), (360, 740)
SWITCHES = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--use-fake-device-for-media-stream"]


class Browser:
    def __init__(self, profile: Path, microphone: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for switch in [*SWITCHES, f"--user-data-dir={profile}",
                       f"--use-file-for-fake-audio-capture={microphone}"]:
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Driver("/usr/bin/chromedriver"), options=options)
        self.driver.set_script_timeout(SCRIPT_DEADLINE_S)
        self.cdp("Emulation.setScrollbarsHidden", hidden=True)
        self.look()

    def close(self) -> None:
        self.driver.quit()

    def look(self, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
        """How the page is seen: window in CSS pixels, colour scheme."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1],
                 deviceScaleFactor=1, mobile=size == PHONE)
        self.cdp("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": scheme}])

    def cdp(self, command: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, parameters)

    def open(self, url: str) -> None:
        self.driver.get("about:blank")  # so that a change of the hash alone loads the page afresh
        self.console(), self.requests()  # what was before is not of this page
        self.driver.get(url)
        # What comes later moves the rest down.
        self.wait("the greeting", lambda: self.all("body.docs") or self.find("#model").text
                  or self.find("#key-form").is_displayed())

    def microphone(self, origin: str, allowed: bool) -> None:
        """What the person answers when the browser asks."""
        self.cdp("Browser.setPermission", permission={"name": "microphone"}, origin=origin,
                 setting="granted" if allowed else "denied")

    def offline(self, is_so: bool) -> None:
        self.cdp("Network.emulateNetworkConditions", offline=is_so, latency=0,
                 downloadThroughput=-1, uploadThroughput=-1)

    def download(self, link: WebElement, folder: Path) -> Path:
        """Clicks link; the file that arrives in the empty folder."""
        self.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        link.click()
        return self.wait("the file", lambda: next(
            (f for f in folder.iterdir() if f.suffix != ".crdownload" and f.stat().st_size), None))

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of an async function body: `return await ...`."""
        wrapped = ("const done = arguments[arguments.length - 1];"
                   f"(async (...given) => {{ {script} }})(...arguments)"
                   ".then((value) => done({value}), (error) => done({error: String(error)}));")
        answer = self.driver.execute_async_script(wrapped, *arguments)
        if "error" in answer:
            raise AssertionError(f"in the page: {answer['error']}")
        return answer.get("value")

    def wait(self, what: str, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """The first true value of condition; `what` names it when it never comes."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            try:
                if value := condition():
                    return value
            except (NoSuchElementException, StaleElementReferenceException):
                pass  # not there yet, or just redrawn
            time.sleep(0.03)
        raise AssertionError(f"waited {deadline_s} s for {what}; the page says:\n"
                             + self.find("body").text)

    # ---- the voices ----

    def side(self, name: str) -> WebElement:
        """'a', 'b', 'many' or 'talk'."""
        return self.find({"a": ".side-a", "b": ".side-b"}.get(name, f".intake.{name}"))

    def choose(self, name: str, *clips: Path) -> None:
        """By the file chooser."""
        chooser = self.side(name).find_element(By.CSS_SELECTOR, "input[type=file]")
        chooser.send_keys("\n".join(str(clip) for clip in clips))

    def drop(self, name: str, *clips: Path) -> None:
        """By dragging, as the window system reports it."""
        zone = self.side(name).find_element(By.CSS_SELECTOR, ".drop")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", zone)
        box = self.driver.execute_script(
            "const r = arguments[0].getBoundingClientRect(); return [r.x + r.width / 2, r.y + 10]", zone)
        data = {"items": [], "files": [str(clip) for clip in clips], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.cdp("Input.dispatchDragEvent", type=kind, x=box[0], y=box[1], data=data)

    def cards(self, name: str) -> list[WebElement]:
        return self.side(name).find_elements(By.CSS_SELECTOR, ".clip")

    def settled(self, name: str, n: int = 1) -> list[WebElement]:
        """The n cards of a side, once each is ready or has failed."""
        def ended() -> list[WebElement] | None:
            cards = self.cards(name)
            states = [card.get_attribute("data-state") for card in cards]
            return cards if len(cards) == n and set(states) <= {"ready", "failed"} else None
        return self.wait(f"{n} settled clips on side {name}", ended)

    def verdict(self) -> WebElement:
        return self.wait("the answer", lambda: next(iter(self.all(".verdict")), None))

    def score(self) -> float:
        """As the page shows it, three digits."""
        self.verdict()
        return float(self.find(".facts dd").text.replace("\N{MINUS SIGN}", "-"))

    def answer(self) -> dict:
        """The service's answer as the page offers it."""
        self.verdict()
        return json.loads(self.find("#answer pre").get_attribute("textContent"))

    # ---- what went on beside ----

    def console(self) -> list[str]:
        """Warnings and errors since the last call. A failed request's own line is not one: the
        browser writes it for every status from 400 on, and nobody can keep it from that."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("WARNING", "SEVERE") and entry["source"] != "network"]

    def requests(self) -> list[str]:
        """Addresses asked for since the last call."""
        messages = [json.loads(entry["message"])["message"]
                    for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages
                if m["method"] == "Network.requestWillBeSent"]

    def screenshot(self, file: Path, most_high: int = 10000) -> None:
        """The whole page, not only what fits the window; or as much of it as most_high pixels."""
        size = self.driver.execute_script(
            "return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        shot = self.cdp("Page.captureScreenshot", captureBeyondViewport=True,
                        clip={"x": 0, "y": 0, "width": size[0], "height": min(size[1], most_high),
                              "scale": 1})
        file.write_bytes(base64.b64decode(shot["data"]))
