"""A log that nobody reads: the service goes on as if nothing were, and counts what it could not say."""

from __future__ import annotations

import json
import os
import pty
import select
import socket
import time
import tty

import pytest
from service import SLOWNESS, Service

N_REQUESTS = 600  # some 250 bytes each: far beyond what a terminal or a pipe keeps


def terminal() -> tuple[int, int]:
    return pty.openpty()


def raw_terminal() -> tuple[int, int]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    return master, slave


def pipe() -> tuple[int, int]:
    return os.pipe()


def stream_socket() -> tuple[int, int]:
    """As systemd's journal is connected."""
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return ours.detach(), theirs.detach()


def read_what_is_there(fd: int) -> bytes:
    text = b""
    readable = select.poll()  # select() knows no descriptor above 1023
    readable.register(fd, select.POLLIN)
    while readable.poll(200):
        piece = os.read(fd, 65536)
        if not piece:
            break
        text += piece
    return text


@pytest.mark.parametrize("channel", [terminal, raw_terminal, pipe, stream_socket])
def test_a_log_that_is_not_read_holds_nobody_up(channel) -> None:
    reader, writer = channel()
    flags = os.get_blocking(writer)
    try:
        with Service(stderr=writer) as service:
            slowest = 0.0
            for _ in range(N_REQUESTS):
                start = time.monotonic()
                assert service.get("/livez").status_code == 200
                slowest = max(slowest, time.monotonic() - start)
            assert slowest < 1 * SLOWNESS
            # The description is shared with whoever started the service: its mode is not ours to change.
            assert os.get_blocking(writer) == flags
            unread = read_what_is_there(reader)
            service.get("/livez")
            time.sleep(0.2)
            unread += read_what_is_there(reader)
        lines = [json.loads(line) for line in unread.decode().splitlines() if line.startswith("{")]
        torn = [line for line in unread.decode().splitlines() if not line.startswith("{") or not line.endswith("}")]
        assert not torn, torn[:3]
        assert any(line.get("lines_dropped", 0) > 100 for line in lines), lines[-1]
    finally:
        os.close(reader)
        os.close(writer)
