"""A request whose end libmicrohttpd never reports still has an end: freed, logged, counted, not waited for."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable

import pytest
from service import IS_SLOW, SLOWNESS, Service, read_answer, send_embed, voice

# libmicrohttpd keeps the arguments of a target in the connection's memory, 36 KiB: so many do not fit.
TOO_MANY_ARGUMENTS = b"GET /livez?" + b"&" * 28_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def wait_until_alone(service: Service) -> None:
    """Nobody is connected but whoever asks."""
    service.wait_for(lambda: service.metric("voiceprintd_connections") == 1, 10 * SLOWNESS, "the end of all connections")


def assert_drains_at_once(service: Service) -> None:
    start = time.monotonic()
    assert service.stop() == 0, service.log()
    assert time.monotonic() - start < 6 * SLOWNESS, "the drain waited for requests that had ended"
    assert service.log_lines("drained")[0]["detail"] == "every request was answered"


def test_arguments_that_do_not_fit() -> None:
    with Service(workers=1) as service:
        for _ in range(5):
            service.exchange(TOO_MANY_ARGUMENTS, 5)
        before, n = service.resident_bytes(), 300
        for _ in range(n):
            service.exchange(TOO_MANY_ARGUMENTS, 5)
        wait_until_alone(service)
        if not IS_SLOW:  # a sanitizer keeps what was freed; its own end tells of leaks
            assert service.resident_bytes() - before < n * 28_000 / 4, "requests are left behind"
        assert service.metric("voiceprintd_http_requests_total", route="livez", code="400") == n + 5
        lines = [line for line in service.log_lines("request") if line["status"] == 400]
        assert len(lines) == n + 5 and all(line["path"] == "/livez" for line in lines)
        assert_drains_at_once(service)


def test_one_connection_cannot_pile_them_up() -> None:
    """Good requests before it on the same connection are answered, and have had their end."""
    with Service(workers=1) as service:
        answer = service.exchange(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + TOO_MANY_ARGUMENTS * 3, 5)
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        wait_until_alone(service)
        assert service.metric("voiceprintd_http_requests_total", route="livez", code="200") == 3
        assert service.metric("voiceprintd_http_requests_total", route="livez", code="400") == 1
        assert_drains_at_once(service)


CLIP = voice()
HEAD = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(CLIP)
LINES = HEAD.replace(b"/embed", b"/diarize") + b"Accept: application/x-ndjson\r\n\r\n"
# Where a request can be when its client goes.
STATES = {
    "in the request line": b"GET /livez?a=",
    "in the headers": HEAD,
    "before the body": HEAD + b"\r\n",
    "in the body": HEAD + b"\r\n" + CLIP[:1000],
    "in a chunked body": HEAD.split(b"Content")[0] + b"Transfer-Encoding: chunked\r\n\r\n400\r\n" + CLIP[:500],
    "waiting": HEAD + b"\r\n" + CLIP,
    "in lines": LINES + CLIP,
    "refused before its body": HEAD.replace(b"/embed", b"/embed?nonsense=1") + b"\r\n" + CLIP[:5000],
    "with arguments that do not fit": TOO_MANY_ARGUMENTS,
}


@pytest.mark.parametrize("leave", [reset, socket.socket.close], ids=["reset", "close"])
def test_whoever_leaves_in_any_state_is_forgotten(leave: Callable[[socket.socket], None]) -> None:
    """Under AddressSanitizer the end of the service tells what was left behind."""
    with Service(workers=1, queue_size=16) as service:
        for sent in STATES.values():
            for pause_s in (0, 0.002, 0.05):
                connection = service.raw()
                connection.sendall(sent)
                time.sleep(pause_s)
                leave(connection)
        wait_until_alone(service)
        service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 0, 20 * SLOWNESS, "idle workers")
        assert service.metric("voiceprintd_upload_bytes_buffered") == 0
        assert service.embed(CLIP).status_code == 200
        assert_drains_at_once(service)


def test_a_drain_does_not_wait_for_one_that_nobody_ends() -> None:
    with Service(workers=1, drain_timeout_s=30) as service:
        held = [service.raw() for _ in range(20)]
        for connection in held:
            connection.sendall(TOO_MANY_ARGUMENTS)
        answered = send_embed(service, CLIP)
        # To its end: closed with bytes unread, it would count as a client that left.
        assert read_answer(answered)[0] == 200
        answered.close()
        assert_drains_at_once(service)
        for connection in held:
            connection.close()
