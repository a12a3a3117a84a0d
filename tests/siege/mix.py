"""The siege's clients, one small attack each, to be mixed into other traffic (tests/http/soak.py)."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable

from flac import minutes_of_nothing
from service import Service, read_all
from test_balancers import attacks
from test_forms import BOUNDARY, FORM, JSON, form, slow_json
from test_readers import PIPELINE
from test_requests import STATES, reset
from test_spin import UNTAKEN

ODD_FRAMINGS = list(attacks().values())
MINUTE = minutes_of_nothing()
SLOW_FORM = form((b"file", b"audio/wav", b"ab" * (1 << 20)))
LARGE_COMPARISON = form(*((side, b"audio/flac", MINUTE) for side in (b"a", b"a", b"b")))


def odd_framing(service: Service, rng: random.Random) -> None:
    with service.raw() as connection:
        connection.sendall(rng.choice(ODD_FRAMINGS))
        read_all(connection, 0.3)


def untaken(service: Service, rng: random.Random) -> None:
    with service.raw() as connection:
        connection.sendall(rng.choice(list(UNTAKEN.values())).replace(b"%s", rng.choice([b"/embed", b"/diarize"])))
        read_all(connection, rng.random())


def leaving(service: Service, rng: random.Random) -> None:
    """In any state, by a reset or not."""
    connection = service.raw()
    connection.sendall(rng.choice(list(STATES.values())))
    time.sleep(rng.choice([0, 0.002, 0.05]))
    rng.choice([reset, socket.socket.close])(connection)


def silent(service: Service, rng: random.Random) -> None:
    crowd = [service.raw() for _ in range(40)]
    time.sleep(rng.random())
    for connection in crowd:
        connection.close()


def unread(service: Service, rng: random.Random) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(PIPELINE)
        time.sleep(rng.random())


def refused_upload(service: Service, rng: random.Random) -> None:
    with service.raw() as connection:
        connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000000\r\n\r\n" + bytes(rng.randrange(1 << 21)))


def slow_form(service: Service, rng: random.Random) -> None:
    service.post("/diarize", data=SLOW_FORM, headers=FORM)


def slow_body(service: Service, rng: random.Random) -> None:
    item = rng.choice([b"1,", b"{},", b'"",'])
    service.post("/compare", data=b'{"a":%s}' % slow_json(item), headers=JSON)


def large_comparison(service: Service, rng: random.Random) -> None:
    """Whose client does not stay for the answer, or does."""
    head = b"POST /compare HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n"
    with service.raw() as connection:
        connection.sendall(head % (BOUNDARY, len(LARGE_COMPARISON)) + LARGE_COMPARISON)
        read_all(connection, rng.choice([0.05, 1.0]))


ATTACKS: list[Callable[[Service, random.Random], None]] = [
    odd_framing, untaken, leaving, silent, unread, refused_upload, slow_form, slow_body, large_comparison]
