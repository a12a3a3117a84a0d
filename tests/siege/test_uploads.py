"""Uploads that hold memory and bring nothing: who is slower than others need gives way, and is told so."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import attackers
import pytest
from service import SLOWNESS, Service, problem, read_answer, voice

CLIP = voice(seconds=10)  # 320 KB
HEAD = b"POST %s HTTP/1.1\r\nHost: x\r\nOrigin: http://page.example\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def target() -> Iterator[Service]:
    with Service(workers=1, max_body_bytes="1MiB", max_buffered_bytes="4MiB", diarize_max_body_bytes="8MiB", request_timeout_s=30,
                 cors_origins="http://page.example") as running:
        yield running
        attackers.judge_turns(running)


def sent_off(connection: socket.socket) -> tuple[int, str, dict[str, str]]:
    """Status, problem and headers of an answer that came in mid-upload, before the end of the connection."""
    status, headers, body = read_answer(connection, 5)
    assert headers["connection"] == "close" and headers["content-type"] == "application/problem+json"
    assert headers["access-control-allow-origin"] == "http://page.example" and "Retry-After" in headers["access-control-expose-headers"]
    assert headers["cache-control"] == "no-store" and headers["server-timing"].startswith("total;dur=")
    answer = json.loads(body)
    assert answer["status"] == status and answer["instance"].endswith(headers["x-request-id"])
    return status, answer["type"].removeprefix("urn:voiceprintd:problem:"), headers


def seconds_until_served(service: Service, path: str) -> float:
    """Of somebody honest who tries again when told to."""
    start = time.monotonic()
    while (answer := service.post(path, data=CLIP)).status_code != 200:
        assert problem(answer) == "overloaded-memory" and time.monotonic() - start < 20 * SLOWNESS, answer.text
        time.sleep(0.2)
    return time.monotonic() - start


def test_one_byte_before_the_end(target: Service) -> None:
    n = (4 << 20) // 4
    hogs = [target.raw() for _ in range(4)]
    for connection in hogs:
        connection.sendall(HEAD % (b"/embed", n) + bytes(n - 1))
    target.wait_for(lambda: target.metric("voiceprintd_upload_bytes_buffered") == 4 * n, 5 * SLOWNESS, "all memory taken")
    took = seconds_until_served(target, "/embed")
    print(f"served after {took:.1f} s")
    assert took < 6 * SLOWNESS
    for connection in hogs:
        status, name, headers = sent_off(connection)
        assert (status, name) == (503, "overloaded-memory") and int(headers["retry-after"]) >= 1
        connection.close()
    target.wait_for(lambda: target.metric("voiceprintd_upload_bytes_buffered") == 0, 5 * SLOWNESS, "nothing reserved")
    assert len([line for line in target.log_lines("request") if line["status"] == 503 and line["bytes_in"] == n - 1]) == 4


def test_a_slow_diarization_gives_way(target: Service) -> None:
    """It keeps to what its deadline asks for, and would be done in forty seconds."""
    with target.raw() as slow:
        slow.sendall(HEAD % (b"/diarize", 8 << 20))
        for _ in range(10):
            slow.sendall(bytes(40_000))
            time.sleep(0.2)
        start = time.monotonic()
        while (answer := target.post("/diarize", data=CLIP)).status_code != 200:
            assert problem(answer) == "overloaded-memory" and time.monotonic() - start < 6 * SLOWNESS, answer.text
            slow.sendall(bytes(40_000))
            time.sleep(0.2)
        assert sent_off(slow)[:2] == (503, "overloaded-memory")


def test_the_least_rate(target: Service) -> None:
    """Nobody needs the memory: an upload may stand still for a while, not for ever; a slow one goes on."""
    with target.raw() as drop_by_drop, target.raw() as slow:
        drop_by_drop.sendall(HEAD % (b"/embed", 500_000))
        slow.sendall(HEAD % (b"/embed", 60_000))
        start, sent = time.monotonic(), 0
        drop_by_drop.settimeout(0.01)
        while time.monotonic() - start < 14:
            try:
                if drop_by_drop.recv(1, socket.MSG_PEEK):
                    break
            except TimeoutError:
                drop_by_drop.send(bytes(10))
            slow.sendall(bytes(300))
            sent += 300
            time.sleep(0.15)
        took = time.monotonic() - start
        print(f"sent off after {took:.1f} s")
        assert 9.5 < took < 13
        assert sent_off(drop_by_drop)[:2] == (408, "upload-too-slow")
        slow.sendall(bytes(60_000 - sent))
        assert read_answer(slow)[0] == 415, "zeros are no audio, but they arrived"
    assert target.metric("voiceprintd_http_requests_total", route="embed", code="408") == 1
