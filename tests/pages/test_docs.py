"""The page of the contract: complete, by Swagger UI and without it, safe to show, and its curl lines
work as they stand."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from browser import Browser
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from service import ROOT, Service

OPERATION = ".swagger-ui .opblock"


def operations() -> set[str]:
    """'POST /embed' of every operation in the contract."""
    contract = yaml.safe_load((ROOT / "openapi.yaml").read_text())
    return {f"{method.upper()} {route}" for route, path in contract["paths"].items()
            for method in path if method in ("get", "post", "put", "delete")}


def open_docs(page: Browser, url: str) -> dict[str, WebElement]:
    """The operations that Swagger UI draws, by name."""
    page.open(url + "/docs")
    page.wait("Swagger UI", lambda: len(page.all(OPERATION)) == len(operations()))
    return {" ".join(block.find_element(By.CSS_SELECTOR, ".opblock-summary-" + part).text
                     for part in ("method", "path")).replace("\u200b", ""): block
            for block in page.all(OPERATION)}


def unfold(page: Browser, block: WebElement) -> None:
    """By keyboard, as everything here must be."""
    block.find_element(By.CSS_SELECTOR, ".opblock-summary-control").send_keys(Keys.ENTER)
    page.wait("the operation", lambda: block.find_elements(By.CSS_SELECTOR, ".try-out__btn"))


@pytest.fixture
def without_scripts(page: Browser, service: Service) -> Iterator[Browser]:
    page.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(service.url + "/docs")
        yield page
    finally:
        page.cdp("Emulation.setScriptExecutionDisabled", value=False)


def test_every_operation_is_there(page: Browser, service: Service) -> None:
    shown = open_docs(page, service.url)
    assert set(shown) == operations()
    assert next(iter(shown)) == "POST /embed"
    assert page.all(".operation") == []  # the plain one made way


def test_plain_without_scripts(without_scripts: Browser) -> None:
    heads = {" ".join(head.text.split()[:2]) for head in without_scripts.all(".operation h2")}
    assert heads == operations()
    assert "curl" in without_scripts.find("pre.sample").text


def test_every_link_leads_somewhere(without_scripts: Browser, service: Service) -> None:
    for address in {link.get_attribute("href") for link in without_scripts.all("a[href]")}:
        if address.startswith(service.url):
            base, _, anchor = address.partition("#")
            assert requests.get(base, timeout=10).status_code == 200, address
            if base.endswith("/docs") and anchor:
                assert without_scripts.all(f"[id='{anchor}']"), address


def test_licence_is_kept(page: Browser, service: Service) -> None:
    open_docs(page, service.url)
    link = page.find("footer a").get_attribute("href")
    text = requests.get(link, timeout=10).text
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert "SmartBear" in page.find("footer").text


def run_curl(sample: str, folder: Path) -> None:
    script = "set -e\ncurl() { command curl -sS --fail-with-body --max-time 30 \"$@\"; }\n" + sample
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, f"{sample}\n{done.stdout}{done.stderr}"


def test_curl_lines_work_as_they_stand(page: Browser, service: Service, tmp_path: Path) -> None:
    blocks = open_docs(page, service.url)
    run_curl(page.find("pre.sample code").text, tmp_path)  # fetches the clips
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,500\nHello there.\n")  # the reader's own
    for name, block in blocks.items():
        if "/voices/" in name:  # what is to be looked at, or deleted, is there
            requests.put(service.url + "/voices/ada", data=(tmp_path / "a.wav").read_bytes(), timeout=60).raise_for_status()
        if "/clips/" in name:
            requests.post(service.url + "/voices/ada/clips", data=(tmp_path / "a.wav").read_bytes(), timeout=60).raise_for_status()
        unfold(page, block)
        samples = [code.text for code in block.find_elements(By.CSS_SELECTOR, "pre.sample code")]
        assert samples, name
        for sample in samples:
            assert "curl" in sample and service.url in sample, sample
            run_curl(sample, tmp_path)
    answer = subprocess.run(["curl", "-sS", "-F", "a=@a.wav", "-F", "b=@b.wav", service.url + "/compare"],
                            cwd=tmp_path, capture_output=True, timeout=30, check=True)
    assert "score" in json.loads(answer.stdout)


def test_curl_lines_are_those_of_the_plain_page(without_scripts: Browser) -> None:
    contract = yaml.safe_load((ROOT / "openapi.yaml").read_text())
    wanted = [sample["source"].strip() for path in contract["paths"].values()
              for operation in path.values() for sample in operation["x-codeSamples"]]
    shown = [code.text for code in without_scripts.all(".operation pre.sample code")]
    assert shown == wanted


def execute(page: Browser, block: WebElement) -> str:
    """Sends the form of an unfolded operation; status and body that it then shows."""
    block.find_element(By.CSS_SELECTOR, ".btn.execute").click()
    rows = page.wait("an answer", lambda: block.find_elements(
        By.CSS_SELECTOR, ".live-responses-table tr.response"))
    return rows[0].text


def test_a_call_from_the_page(page: Browser, service: Service, voices: dict[str, Path]) -> None:
    """Raw, then as a form with two files: what a reader tries first."""
    blocks = open_docs(page, service.url)
    for name, files, said in (("POST /embed", ["a-1"], '"embedding"'),
                              ("POST /compare", ["a-1", "b-1"], '"same_speaker": false')):
        block = blocks[name]
        unfold(page, block)
        block.find_element(By.CSS_SELECTOR, ".try-out__btn").click()
        for i, voice in enumerate(files):
            chooser = page.wait("a place for the file", lambda: block.find_elements(
                By.CSS_SELECTOR, "input[type=file]")[i:i + 1])[0]
            chooser.send_keys(str(voices[voice]))
        answer = execute(page, block)
        assert answer.startswith("200") and said in answer, answer


class Prefix(http.server.BaseHTTPRequestHandler):
    """The service under /voices, as behind a proxy."""

    target = ""

    def do_GET(self) -> None:
        if not self.path.startswith("/voices/"):
            self.send_error(404)
            return
        with urllib.request.urlopen(self.target + self.path.removeprefix("/voices"), timeout=20) as answer:
            body = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "Content-Security-Policy"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_behind_a_prefix(chromium: Browser, service: Service) -> None:
    Prefix.target = service.url
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prefix) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{proxy.server_port}/voices"
        try:
            chromium.look()
            block = open_docs(chromium, url)["GET /livez"]
            unfold(chromium, block)
            assert f"{url}/livez" in block.find_element(By.CSS_SELECTOR, "pre.sample").text
            block.find_element(By.CSS_SELECTOR, ".try-out__btn").click()
            assert '"ready"' in execute(chromium, block)
            assert chromium.console() == []
        finally:
            proxy.shutdown()
