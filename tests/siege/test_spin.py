"""Clients that would make the loop turn for nothing: bytes that nobody can take and nobody throws away."""

from __future__ import annotations

import socket
import time

import attackers
import pytest
from service import SLOWNESS, Service

CHUNKED = b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
WATCHED_S = 2.0
UNTAKEN = {
    "a chunk extension of 40 KB": CHUNKED + b"5;" + b"e" * 40_000,
    "a chunk size of 40 KB": CHUNKED + b"0" * 40_000,
    "a trailer line of 40 KB": CHUNKED + b"0\r\nX: " + b"t" * 40_000,
    "trailers of 40 KB": CHUNKED + b"0\r\n" + b"X: t\r\n" * 7_000,
    "a request line of 60 KB": b"GET /" + b"a" * 60_000,
    "a header line of 60 KB": b"GET / HTTP/1.1\r\nX: " + b"h" * 60_000,
    "empty lines": b"\r\n" * 30_000,
}


@pytest.mark.parametrize("ending", ["silent", "half closed", "closed"])
def test_bytes_that_nobody_takes(service: Service, ending: str) -> None:
    connections = {}
    for path in (b"/embed", b"/diarize"):
        for name, attack in UNTAKEN.items():
            connections[name, path] = connection = service.raw()
            connection.settimeout(0.5)
            try:
                connection.sendall(attack.replace(b"%s", path))
                if ending == "half closed":
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # cut already: all the better
            if ending == "closed":
                connection.close()
    time.sleep(1.2 * SLOWNESS)  # what is allowed until it is noticed
    before = attackers.cpu_seconds(service)
    time.sleep(WATCHED_S)
    spent = attackers.cpu_seconds(service) - before
    left = [name for name, connection in connections.items() if ending != "closed" and not attackers.is_closed(connection, 0.2)]
    for connection in connections.values():
        connection.close()
    assert spent < 0.2 * WATCHED_S, f"the loop used {spent:.2f} s of CPU in {WATCHED_S} s"
    assert not left, f"still open: {left}"
    assert service.get("/livez").status_code == 200
