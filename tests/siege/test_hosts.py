"""DNS rebinding: a page in a browser gives its own name our loopback address, or posts to it."""

from __future__ import annotations

import pytest
from service import Service, problem, voice


def ask(service: Service, host: str | None = None, origin: str | None = None, path: str = "/info") -> tuple[int, str, str]:
    headers = {"Host": host or f"127.0.0.1:{service.port}", **({"Origin": origin} if origin else {})}
    response = service.get(path, headers=headers)
    if response.status_code == 200:
        return 200, "", ""
    return response.status_code, problem(response), response.json().get("field", "")


FOREIGN_HOST, FOREIGN_ORIGIN, GOOD = (403, "foreign-host", "host"), (403, "foreign-host", "origin"), (200, "", "")


@pytest.fixture(scope="module")
def loopback():
    with Service(allowed_hosts="") as running:
        yield running


@pytest.mark.parametrize("host", ["localhost", "LocalHost:8080", "127.0.0.1", "127.9.8.7:1", "[::1]", "[::1]:8080"])
def test_loopback_names_are_answered(loopback: Service, host: str) -> None:
    assert ask(loopback, host) == GOOD
    assert ask(loopback, origin=f"http://{host}") == GOOD


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example",
                                  "127.evil.example", "[::1].evil.example", "[::2]", "10.0.0.1", "0.0.0.0", "2130706433", "x" * 300])
def test_other_names_are_not(loopback: Service, host: str) -> None:
    assert ask(loopback, host) == FOREIGN_HOST
    assert ask(loopback, origin=f"http://{host}") == FOREIGN_ORIGIN
    assert ask(loopback, host, path="/") == FOREIGN_HOST  # nor the pages, which would call the rest


@pytest.mark.parametrize("origin", ["null", "evil.example", "file://", "http://"])
def test_origins_without_a_name_are_foreign(loopback: Service, origin: str) -> None:
    assert ask(loopback, origin=origin) == FOREIGN_ORIGIN


def test_a_page_cannot_post_blindly(loopback: Service) -> None:
    """No preflight precedes a form or a text: the body must not be taken."""
    response = loopback.post("/embed", data=voice(), headers={"Origin": "https://evil.example", "Content-Type": "text/plain"})
    assert problem(response) == "foreign-host"
    assert loopback.metric("voiceprintd_audio_seconds_total") == 0


def test_probes_are_answered_under_any_name(loopback: Service) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        assert ask(loopback, "10.1.2.3:8080", path=path) == GOOD


def test_names_that_are_configured() -> None:
    with Service(allowed_hosts="voices.example, [fd00::1]", cors_origins="https://pages.example") as service:
        for host in ("voices.example", "VOICES.example:443", "[fd00::1]:8080", "localhost"):
            assert ask(service, host) == GOOD
        assert ask(service, "evil.example") == FOREIGN_HOST
        assert ask(service, origin="https://voices.example") == GOOD
        assert ask(service, origin="https://pages.example") == GOOD
        assert ask(service, origin="https://evil.example") == FOREIGN_ORIGIN


def test_elsewhere_any_name_is_good() -> None:
    with Service(listen_on="0.0.0.0", allowed_hosts="") as service:
        assert ask(service, "evil.example") == GOOD
        assert ask(service, origin="https://evil.example") == GOOD
