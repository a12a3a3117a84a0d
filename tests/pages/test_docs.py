"""The page of the contract: complete, safe to show, and its curl lines work as they stand."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import requests
import yaml
from browser import Browser
from service import ROOT, Service


def contract() -> dict:
    return yaml.safe_load((ROOT / "openapi.yaml").read_text())


def test_every_operation_is_there(page: Browser, service: Service) -> None:
    page.open(service.url + "/docs")
    heads = {" ".join(head.text.split()[:2]) for head in page.all(".operation h2")}
    wanted = {f"{method.upper()} {route}" for route, path in contract()["paths"].items()
              for method in path if method in ("get", "post")}
    assert heads == wanted


def test_every_link_leads_somewhere(page: Browser, service: Service) -> None:
    page.open(service.url + "/docs")
    for address in {link.get_attribute("href") for link in page.all("a[href]")}:
        if address.startswith(service.url):
            base, _, anchor = address.partition("#")
            assert requests.get(base, timeout=10).status_code == 200, address
            if base.endswith("/docs") and anchor:
                assert page.all(f"[id='{anchor}']"), address


def test_curl_lines_work_as_they_stand(page: Browser, service: Service, tmp_path: Path) -> None:
    page.open(service.url + "/docs")
    samples = [pre.text for pre in page.all("pre.sample code")]
    assert len(samples) >= 6
    for sample in samples:
        assert "curl" in sample and service.url in sample, sample
        script = "set -e\ncurl() { command curl -sS --fail-with-body --max-time 30 \"$@\"; }\n" + sample
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True,
                              timeout=120, check=False)
        assert done.returncode == 0, f"{sample}\n{done.stdout}{done.stderr}"
    answer = subprocess.run(["curl", "-sS", "-F", "a=@a.wav", "-F", "b=@b.wav", service.url + "/compare"],
                            cwd=tmp_path, capture_output=True, timeout=30, check=True)
    assert "score" in json.loads(answer.stdout)


def test_reads_without_javascript(page: Browser, service: Service) -> None:
    page.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(service.url + "/docs")
        assert "POST /embed" in page.find("main").text
        assert "curl" in page.find("pre.sample").text
    finally:
        page.cdp("Emulation.setScriptExecutionDisabled", value=False)
