"""Clients that end their stream after the request (`nc -N`, shutdown(SHUT_WR)) are answered; those that are gone are
noticed all the same, also when they go later.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from conversation import timeless
from service import LARGE, SLOWNESS, Service, busy_clip, read_all, send_embed, speech, wav

CLIP = wav(speech(1.0, seed=3))
CALL = wav(np.concatenate([speech(2.0, seed=1, pitch_hz=95), speech(2.0, seed=2, pitch_hz=230)]))
BUSY = busy_clip()
FORM = "multipart/form-data; boundary=b"


def form(*names: str) -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n' + CLIP + b"\r\n"
    return b"".join(part.replace(b"%s", name.encode()) for name in names) + b"--b--\r\n"


# Of the answer in lines: HTTP/1.1 alone, for its chunks.
REQUESTS = {
    "embed": ("/embed", "audio/wav", "*/*", CLIP),
    "compare": ("/compare", FORM, "*/*", form("a", "b")),
    "large compare": ("/compare", FORM, "*/*", form("a", "a", "a", "b", "b")),
    "diarize": ("/diarize", "audio/wav", "*/*", CALL),
    "lines": ("/diarize", "audio/wav", "application/x-ndjson", CALL),
}


def request(kind: str, version: str = "1.1", request_id: str = "half") -> bytes:
    path, content_type, accept, body = REQUESTS[kind]
    return (f"POST {path} HTTP/{version}\r\nHost: x\r\nX-Request-Id: {request_id}\r\nContent-Type: {content_type}\r\n"
            f"Accept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def told(answer: bytes) -> dict:
    """What an answer says, whole and with one head."""
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 ")) and answer.count(b"HTTP/1.") == 1, answer[:300]
    if b"chunked" in head.lower():
        body = b"".join(line for line in body.splitlines() if line.startswith(b"{"))
        body = body[body.rindex(b'{"model"'):]
    else:
        assert f"content-length: {len(body)}".encode() in head.lower(), head
    return timeless(json.loads(body))


def half_close(connection: socket.socket) -> socket.socket:
    connection.shutdown(socket.SHUT_WR)
    return connection


def occupy(service: Service, n: int = 1) -> list[socket.socket]:
    """Clips that keep the only worker busy for half a second or more each."""
    busy = [send_embed(service, BUSY, f"busy-{i}") for i in range(n)]
    service.wait_for(lambda: service.metric("voiceprintd_queue_depth") == n - 1 and service.metric("voiceprintd_workers_busy") == 1,
                     20 * SLOWNESS, "a busy worker")
    return busy


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(model=LARGE, workers=1, max_duration_s=200, queue_size=32) as running:
        yield running
        assert running.metric("voiceprintd_clients_gone_total") == 0


@pytest.fixture(scope="module")
def expected(service: Service) -> dict[str, dict]:
    """What a client hears that keeps its side open."""
    return {kind: told(service.exchange(request(kind).replace(b"Host: x", b"Host: x\r\nConnection: close"), 60)) for kind in REQUESTS}


def versions(kind: str) -> tuple[str, ...]:
    return ("1.1",) if kind == "lines" else ("1.1", "1.0")


ALL = [(kind, version) for kind in REQUESTS for version in versions(kind)]


@pytest.mark.parametrize("kind, version", ALL)
def test_half_closed_while_it_runs(service: Service, expected: dict[str, dict], kind: str, version: str) -> None:
    with service.raw() as connection:
        connection.sendall(request(kind, version))
        assert told(read_all(half_close(connection), 60 * SLOWNESS)) == expected[kind]


def test_half_closed_in_the_queue(service: Service, expected: dict[str, dict]) -> None:
    """All kinds and versions at once, behind a clip that takes its time."""
    busy = occupy(service)
    clients = []
    for kind, version in ALL:
        clients.append((kind, service.raw()))
        clients[-1][1].sendall(request(kind, version))
    for _, connection in clients:
        half_close(connection)
    time.sleep(0.15)  # some ticks
    assert service.metric("voiceprintd_queue_depth") > 0 and service.metric("voiceprintd_diarizations") > 0
    for kind, connection in clients:
        assert told(read_all(connection, 60 * SLOWNESS)) == expected[kind], kind
        connection.close()
    for connection in busy:
        connection.close()


def test_two_requests_and_then_the_end(service: Service, expected: dict[str, dict]) -> None:
    """Each answer has its own beginning, and all of it."""
    with service.raw() as connection:
        connection.sendall(request("diarize", request_id="first") + request("large compare", request_id="second"))
        answers = read_all(half_close(connection), 60 * SLOWNESS)
    at = answers.index(b"HTTP/1.1 200", 1)
    assert told(answers[:at]) == expected["diarize"] and told(answers[at:]) == expected["large compare"]


def gone_after(service: Service, go: Callable[[socket.socket], None], version: str) -> float:
    """How long after go(connection) a client in the queue is given up, in seconds."""
    before = service.metric("voiceprintd_clients_gone_total")
    connection = service.raw()
    connection.sendall(request("embed", version, "gone"))
    time.sleep(0.1)  # it is in the queue
    go(connection)
    start = time.monotonic()
    service.wait_for(lambda: service.metric("voiceprintd_clients_gone_total") > before, 10 * SLOWNESS, "its leaving")
    return time.monotonic() - start


def go_later(connection: socket.socket) -> None:
    """Waits for an answer first, and gives up when it has heard its beginning: nothing is sent when it does."""
    assert half_close(connection).recv(100) == b"H"
    connection.close()


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_whoever_is_gone_is_noticed(version: str) -> None:
    with Service(model=LARGE, workers=1, max_duration_s=200, queue_size=32) as service:
        busy = occupy(service, 20)  # for longer than this takes, with the small network of a sanitizer's build too
        seconds = [gone_after(service, socket.socket.close, version), gone_after(service, go_later, version)]
        print(f"HTTP/{version}: noticed {seconds[0]:.2f} s after its close, {seconds[1]:.2f} s where it had closed its side before")
        # A tick of 50 ms; and the second that is waited before a client is sought again.
        assert seconds[0] < 2 * SLOWNESS and 0.5 < seconds[1] < 5 * SLOWNESS
        assert service.metric("voiceprintd_queue_depth") >= 1, "not because the queue was through"
        assert [line["status"] for line in service.log_lines("request") if line["request_id"] == "gone"] == [499, 499]
        for connection in busy:
            connection.close()
