"""The pages as files: types, safety headers, caching, on and off. How they behave in a browser is
tests/pages' part."""

from __future__ import annotations

import re

import pytest
from service import ROOT, Service, problem

FILES = sorted(file.name for file in (ROOT / "server/pages").iterdir() if file.name != "index.html")
VOICES = ["voice-a-1.wav", "voice-a-2.wav", "voice-b-1.wav"]


def test_index_is_the_file_of_the_repository(service: Service) -> None:
    answer = service.get("/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.content == (ROOT / "server/pages/index.html").read_bytes()


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/", "/v1/docs"])
def test_a_page_loads_nothing_from_elsewhere(service: Service, path: str) -> None:
    answer = service.get(path)
    assert answer.status_code == 200
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    allowed = {word for sources in policy.values() for word in sources.split()}
    assert allowed <= {"'none'", "'self'", "blob:", "'script'"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    # The policy would break what is inline; nothing is.
    assert not re.search(r"<style|<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=", answer.text)
    for link in re.findall(r'<(?:link|script|img)[^>]*\s(?:href|src)="([^"]*)"', answer.text):
        assert service.get("/" + link).status_code == 200, link


@pytest.mark.parametrize("name", FILES)
def test_what_the_pages_load(service: Service, name: str) -> None:
    answer = service.get(f"/pages/{name}")
    assert answer.status_code == 200
    assert answer.content == (ROOT / "server/pages" / name).read_bytes()
    kind = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
            "svg": "image/svg+xml"}[name.rsplit(".", 1)[1]]
    assert answer.headers["Content-Type"] == kind


def test_swagger_ui_is_whole_or_absent(service: Service) -> None:
    """What draws /docs: its three files, or none where the build could not get them."""
    kinds = {"swagger-ui-bundle.js": "text/javascript; charset=utf-8",
             "swagger-ui.css": "text/css; charset=utf-8",
             "swagger-ui-license.txt": "text/plain; charset=utf-8"}
    page = service.get("/docs").text
    on_board = "pages/swagger-ui-bundle.js" in page
    for name, kind in kinds.items():
        answer = service.get(f"/pages/{name}")
        assert (f"pages/{name}" in page) == on_board == (answer.status_code == 200), name
        assert not on_board or answer.headers["Content-Type"] == kind
    assert on_board == (ROOT / "build/swagger-ui/swagger-ui-bundle.js").exists()


@pytest.mark.parametrize("name", VOICES)
def test_sample_clips_are_good_clips(service: Service, name: str) -> None:
    clip = service.get(f"/pages/{name}").content
    answer = service.embed(clip)
    assert answer.status_code == 200
    assert answer.json()["quality"]["warnings"] == []


def test_a_page_is_sent_once(service: Service) -> None:
    first = service.get("/pages/main.js")
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = service.get("/pages/main.js", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b""), known
        assert again.headers["ETag"] == tag
    other = service.get("/pages/main.js", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200 and other.content == first.content
    assert service.get("/pages/style.css").headers["ETag"] != tag


@pytest.mark.parametrize("path", ["/pages/", "/pages/nothing.js", "/pages/../main.c", "/pages",
                                  "/pages/index.html", "/docs/"])
def test_no_other_file_is_served(service: Service, path: str) -> None:
    connection = service.raw()
    with connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 404 ")


def test_pages_can_be_switched_off() -> None:
    with Service(docs="off") as service:
        for path in ("/", "/docs", "/pages/main.js", "/openapi.yaml"):
            answer = service.get(path)
            assert answer.status_code == 404 and problem(answer) == "not-found"
        assert service.get("/info").status_code == 200


def test_pages_need_no_key(tmp_path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-the-tests-0123456789\n")
    with Service(api_keys_file=keys) as service:
        assert service.get("/").status_code == service.get("/pages/main.js").status_code == 200
        assert service.get("/info").status_code == 401
