"""Clients that do not read their answers, and clients that say nothing: others notice neither."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator

import attackers
import pytest
from service import IS_SLOW, SLOWNESS, Service, read_answer

PAGE = b"/pages/voice-a-1.wav"
# More than a socket keeps for somebody who does not read, whatever the kernel's limits.
PIPELINE = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % PAGE * 60


@pytest.fixture
def small() -> Iterator[Service]:
    """64 places, so that a flood need not be large."""
    with Service(workers=1, max_connections=64) as running:
        yield running
        attackers.judge_turns(running)


def connect(service: Service, window: int = 4096) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", service.port))
    return connection


def test_readers_that_do_not_read(small: Service) -> None:
    before = small.resident_bytes()
    probe = attackers.Probe(small)
    readers = []
    for _ in range(300):
        connection = connect(small)
        connection.sendall(PIPELINE)
        readers.append(connection)
    slow = connect(small)
    slow.sendall(PIPELINE)
    taken, end = 0, time.monotonic() + 7 * (2 if IS_SLOW else 1)
    while time.monotonic() < end:  # slow, but it moves
        piece = slow.recv(4096)
        assert piece, f"a reader that moves was cut after {taken} bytes"
        taken += len(piece)
        time.sleep(0.1)
    probe.stop().judge()
    assert small.metric("voiceprintd_connections_evicted_total") >= 300 - 64
    assert small.metric("voiceprintd_connections") <= 64 + 4
    grown = small.resident_bytes() - before
    assert IS_SLOW or grown < 32 << 20, f"grew by {grown >> 20} MiB"
    for connection in [*readers, slow]:
        connection.close()


def test_silence(small: Service) -> None:
    attackers.allow_descriptors(2500)
    probe = attackers.Probe(small)
    start = time.monotonic()
    crowd = [connect(small) for _ in range(1500)]
    connected_s = time.monotonic() - start
    time.sleep(max(0.0, 3 - connected_s))
    probe.stop().judge()
    small.wait_for(lambda: small.metric("voiceprintd_connections") <= 64 + 4, 5 * SLOWNESS, "fewer connections")
    for connection in crowd:
        connection.close()


def test_refused_uploads_that_go_on(service: Service) -> None:
    """Each is read on for a moment after its refusal, so that the answer is not lost to a reset."""
    senders = []
    for _ in range(64):
        connection = service.raw()
        connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000000\r\n\r\n")
        connection.setblocking(False)
        senders.append(connection)
    junk = bytes(1 << 20)
    before = attackers.cpu_seconds(service)
    probe = attackers.Probe(service)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        for connection in senders:
            try:
                connection.send(junk)
            except OSError:
                pass
    probe.stop()
    spent = attackers.cpu_seconds(service) - before
    print(f"{spent:.2f} s of CPU")
    probe.judge()
    for connection in senders:
        connection.close()
    with service.raw() as connection:  # nor is an answer lost
        connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n" + bytes(8 << 20))
        assert read_answer(connection)[0] == 413


def test_pages_are_packed_once(service: Service) -> None:
    plain = service.get("/openapi.yaml", headers={"Accept-Encoding": "identity"})
    packed = service.get("/openapi.yaml", headers={"Accept-Encoding": "br, gzip;q=0.5"}, stream=True)
    raw = packed.raw.read(decode_content=False)
    assert packed.headers["Content-Encoding"] == "gzip" and len(raw) < 0.5 * len(plain.content)
    assert gzip.decompress(raw) == plain.content and "Content-Encoding" not in plain.headers
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for response, coding in ((plain, "identity"), (packed, "gzip")):
        assert "Accept-Encoding" in response.headers["Vary"]
        again = service.get("/openapi.yaml", headers={"Accept-Encoding": coding, "If-None-Match": response.headers["ETag"]})
        assert again.status_code == 304 and again.content == b"" and again.headers["ETag"] == response.headers["ETag"]
    for refusal in ("gzip;q=0", "br", "", "*;q=0", "gzip;q=0.000, *"):
        response = service.get("/openapi.yaml", headers={"Accept-Encoding": refusal})
        assert "Content-Encoding" not in response.headers, refusal
    sound = service.get(PAGE.decode(), headers={"Accept-Encoding": "gzip"})
    assert sound.content[:4] == b"RIFF"
