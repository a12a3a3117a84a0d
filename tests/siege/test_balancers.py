"""Odd framings through balancers: no request is ever seen differently by the two.

Debian's haproxy and nginx run with the project's own configurations, and once more with connections to the
service that all clients share; a third, lenient.py, is as careless as any. Each puts a stamp of its own into
X-Request-Id. So whatever the service logs without a stamp is a request that the balancer never saw, and
whatever it logs with another method or path than the balancer did it understood differently.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from lenient import Lenient
from service import IS_SLOW, LARGE, SLOWNESS, Service, busy_clip, read_all, read_answer, voice
from test_wire import BODIES, HEADS

sys.path.insert(0, str(Path(__file__).parent.parent / "container"))
import balancer  # noqa: E402

CLIP = voice(0, 0.6)
INNER = b"GET /info HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\n\r\n"
LENGTH = b"%X\r\n" % len(INNER)
POST = b"POST /embed HTTP/1.1\r\nHost: x\r\n"
# Two lengths for one body: by the one INNER is a part of it, by the other a request of its own.
TWO_LENGTHS = {
    "CL and TE": (b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + INNER),
    "TE and CL": (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", LENGTH + INNER + b"\r\n0\r\n\r\n"),
    "two CL": (b"Content-Length: 0\r\nContent-Length: %d\r\n", INNER),
    "two CL the other way": (b"Content-Length: %d\r\nContent-Length: 0\r\n", INNER),
    "a list of CL": (b"Content-Length: 0, %d\r\n", INNER),
    "a CL with a blank before the colon": (b"Content-Length : %d\r\n", INNER),
    "a CL behind a blank": (b" Content-Length: %d\r\n", INNER),
    "a CL in a folded line": (b"A: b\r\n Content-Length: %d\r\n", INNER),
    "a CL behind a NUL LF": (b"A: b\0\nContent-Length: %d\r\n", INNER),
    "a CL behind a bare LF": (b"A: b\nContent-Length: %d\r\n", INNER),
    "a CL behind a bare CR": (b"A: b\rContent-Length: %d\r\n", INNER),
    "a CL with a sign": (b"Content-Length: +%d\r\n", INNER),
    "a CL with a blank in it": (b"Content-Length: 0 %d\r\n", INNER),
    "a CL with an underscore": (b"Content_Length: %d\r\n", INNER),
    "a CL of a GET": (b"Content-Length: %d\r\n", INNER),
}
TE_SPELLINGS = [b"Transfer-Encoding : chunked", b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: xchunked",
                b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: gzip, chunked",
                b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked\x0b",
                b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: \"chunked\"", b"Transfer-Encoding: CHUNKED", b"Transfer_Encoding: chunked",
                b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", b" Transfer-Encoding: chunked", b"X: y\nTransfer-Encoding: chunked",
                b"X: y\0\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunk\xc3\xa9d", b"Transfer-Encoding\0: chunked", b"Transfer-Encoding: chunked\r"]


def attacks() -> dict[str, bytes]:
    table = {name: head + INNER for name, head in HEADS.items()}
    table |= {f"chunks: {name}": POST + b"Transfer-Encoding: chunked\r\n\r\n" + body + INNER for name, body in BODIES.items()}
    for name, (fields, body) in TWO_LENGTHS.items():
        head = POST.replace(b"POST /embed", b"GET /livez") if "GET" in name else POST
        table[name] = head + (fields % len(body) if b"%d" in fields else fields) + b"\r\n" + body
    for spelling in TE_SPELLINGS:
        for body in (b"0\r\n\r\n" + INNER, LENGTH + INNER + b"\r\n0\r\n\r\n"):  # the service sees chunks, or it does not
            name = f"{ascii(spelling)} and a CL, {body[:2]!r}"
            table[name] = POST + spelling + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            table[name + ", alone"] = POST + spelling + b"\r\n\r\n" + body
    table["HTTP/1.0 and chunks"] = POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER
    table["a chunk size beyond 64 bits"] = POST + b"Transfer-Encoding: chunked\r\n\r\n1" + b"0" * 16 + b"\r\n" + INNER
    table["a request line of four words"] = b"GET /livez HTTP/1.1 x\r\nHost: x\r\n\r\n" + INNER
    table["two blanks in the request line"] = b"GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n" + INNER
    table["no version"] = b"GET /livez\r\n\r\n" + INNER
    table["a good pipeline"] = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + INNER
    return table


def send(port: int, attack: bytes) -> None:
    """Whatever the answer is: the service's log judges."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(attack)
            read_all(connection, 0.6)
    except OSError:
        pass


class Honest(threading.Thread):
    """Others who share the balancer with the attackers, and must get their own answers."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.over, self.n, self.wrong = port, threading.Event(), 0, []
        self.start()

    def run(self) -> None:
        head = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(CLIP)
        while not self.over.wait(0.02):
            for request, mark in ((b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b'"status"'), (head + CLIP, b'"embedding"')):
                try:
                    with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                        connection.sendall(request)
                        status, _, body = read_answer(connection, 10)
                except OSError as error:
                    status, body = 0, repr(error).encode()
                self.n += 1
                if status != 200 or mark not in body:
                    self.wrong.append((status, body[:200]))


def assault(port: int) -> None:
    """All attacks at once."""
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda attack: send(port, attack), attacks().values()))


def own_lines(service: Service) -> list[dict]:
    """What the service logged, but for the balancer's checks and our own."""
    return [line for line in service.log_lines("request") if line["path"] not in ("/readyz", "/metrics")]


@pytest.fixture(scope="module")
def programs() -> dict[str, str]:
    """Installed, or unpacked by `make siege` or the tests of the image."""
    found = {name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:{balancer.UNPACKED}/usr/sbin") for name in ("haproxy", "nginx")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        pytest.skip(f"left out: no {' and no '.join(missing)} here; `make siege` fetches them")
    return {name: str(path) for name, path in found.items()}


def edited(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


@contextmanager
def haproxy(program: str, service: Service, is_shared: bool) -> Iterator[balancer.Process]:
    running = balancer.Haproxy([SimpleNamespace(address=f"127.0.0.1:{service.port}")] * 3)
    config = running.folder / "haproxy.cfg"
    changes = {"    default_backend replicas\n": '    default_backend replicas\n    http-request set-header X-Request-Id stamped-%[uuid()]\n'
               '    http-request capture req.hdr(X-Request-Id) len 64\n    log-format "seen %[capture.req.hdr(0)] %HM %HP"\n',
               "local0 notice": "local0 info"}
    if is_shared:
        changes["    option http-server-close\n"] = "    option http-keep-alive\n    http-reuse always\n"
        changes["    option http-buffer-request\n"] = ""
    config.write_text(edited(config.read_text(), changes))
    running.command[0] = program
    with running:
        for i in (1, 2, 3):
            running.wait_status(i, "UP")
        yield running


@contextmanager
def nginx(program: str, service: Service, is_shared: bool) -> Iterator[balancer.Process]:
    running = balancer.Nginx([SimpleNamespace(address=f"127.0.0.1:{service.port}")] * 3)
    config = running.folder / "nginx.conf"
    changes = {"    access_log off;\n": "    log_format seen 'seen stamped-$request_id $request_method $uri';\n    access_log seen.log seen;\n",
               "            proxy_set_header Host $host;\n": "            proxy_set_header Host $host;\n            proxy_set_header X-Request-Id stamped-$request_id;\n"}
    if is_shared:
        changes["        least_conn;\n"] = "        least_conn;\n        keepalive 4;\n"
        changes["            proxy_request_buffering on;\n"] = ("            proxy_request_buffering off;\n            proxy_http_version 1.1;\n"
                                                                  "            proxy_set_header Connection \"\";\n")
    config.write_text(edited(config.read_text(), changes))
    running.command[0] = program
    with running:
        yield running


@pytest.mark.skipif(IS_SLOW, reason="of the balancers' making: one build is enough")
@pytest.mark.parametrize("is_shared", [False, True], ids=["as shipped", "shared connections"])
@pytest.mark.parametrize("start", [haproxy, nginx])
def test_haproxy_and_nginx(programs: dict[str, str], start, is_shared: bool) -> None:
    with Service(workers=2, queue_size=64, log_level="info") as service, start(programs[start.__name__], service, is_shared) as front:
        honest = Honest(front.port)
        assault(front.port)
        honest.over.set()
        honest.join(20)
        time.sleep(0.3)
        own = own_lines(service)
        log = "".join((front.folder / name).read_text() for name in ("log", "seen.log") if (front.folder / name).exists())
    assert honest.n > 5 and not honest.wrong, honest.wrong[:3]
    seen = {found[1]: (found[2], found[3].removeprefix("/v1")) for found in re.finditer(r"seen (stamped-\S+) (\S+) (\S+)", log)}
    assert len(own) > 30, "hardly anything came through"
    for line in own:
        assert line["request_id"] in seen, f"the balancer never saw {line}"
        if line["path"] != "other":
            assert seen[line["request_id"]] == (line["method"], line["path"]), line
    print(f"{len(attacks())} attacks, {len(seen)} requests seen by the balancer, {len(own)} of them by the service")


@pytest.mark.skipif(IS_SLOW, reason="of the balancers' making: one build is enough")
@pytest.mark.parametrize("start", [haproxy, nginx])
def test_the_client_of_a_balancer_has_a_share_of_its_own(programs: dict[str, str], start) -> None:
    """The shipped configurations say for whom they ask, whatever a client says of itself."""
    clip = busy_clip(20)
    head = b"POST /embed HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.7\r\nContent-Length: %d\r\n\r\n"
    options = {"workers": 1, "queue_size": 4, "model": LARGE, "max_duration_s": 200, "trusted_proxies": "127.0.0.1"}
    with Service(**options) as service, start(programs[start.__name__], service, False) as front:
        def ask(source: str, audio: bytes) -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", front.port), timeout=60, source_address=(source, 0))
            connection.sendall(head % len(audio) + audio)
            return connection
        flood = []
        for n in range(5):
            flood.append(ask("127.0.0.1", clip))
            service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 1 and service.metric("voiceprintd_queue_depth") == n, 10, f"{n} in the queue")
        assert read_answer(ask("127.0.0.2", CLIP), 60)[0] == 200, "else it would be one client with the flood"
        assert [read_answer(connection, 60)[0] for connection in flood] == [200] * 4 + [429]


def test_a_careless_balancer() -> None:
    """Whatever this one misunderstands the service refuses: it answers nothing that it was not asked."""
    with Service(workers=2, queue_size=64) as service:
        front = Lenient(service.port, "stamped-")
        assault(front.port)
        front.close()
        own = own_lines(service)
    stray = [line for line in own if not line["request_id"].startswith("stamped-") and line["status"] < 400]
    assert sum(line["status"] == 400 for line in own) > 20 and not stray, stray[:3]
    print(f"{len(attacks())} attacks, {front.n_forwarded} requests passed on, {len(own)} seen by the service")
