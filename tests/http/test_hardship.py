"""A poor home: closed descriptors, a full disk under the log, few open files, storms of signals and of
resets, a stopped process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from service import BUILD, ROOT, SLOWNESS, SMALL, START_DEADLINE_S, Service, free_port, read_answer, read_all, send_embed, voice


@contextmanager
def started_by_shell(before: str, after: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The service as `before; exec voiceprintd ... after` starts it. Must end with 0 on SIGTERM."""
    port = free_port()
    command = f"{before}; exec '{BUILD}/voiceprintd' --listen 127.0.0.1:{port} --model '{SMALL}' --workers 2 --drain-delay-s 0 --header-timeout-s 600 {after}"
    process = subprocess.Popen(["bash", "-c", command], cwd=ROOT)
    try:
        end = time.monotonic() + START_DEADLINE_S
        while True:
            assert process.poll() is None and time.monotonic() < end
            try:
                if requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200:
                    break
            except requests.ConnectionError:
                time.sleep(0.02)
        yield port, process
        process.terminate()
        assert process.wait(30 * SLOWNESS) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("after", ["2>&-", "<&- >&- 2>&-", ">/dev/full 2>&1", ">&- 2>/dev/full"])
def test_nowhere_to_write(after: str) -> None:
    """No log line ever reaches a client in place of a closed descriptor, and nothing ends for it."""
    with started_by_shell(":", after) as (port, process):
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        for _ in range(20):
            assert requests.post(f"http://127.0.0.1:{port}/embed", data=voice(), timeout=30 * SLOWNESS).status_code == 200
        for connection in silent:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(100)
            connection.close()
        assert all(os.path.exists(f"/proc/{process.pid}/fd/{fd}") for fd in (0, 1, 2))


def test_few_open_files() -> None:
    """Fewer connections, so that there is always room for the next one."""
    with started_by_shell("ulimit -n 230", "2>/dev/null") as (port, process):
        crowd = []
        try:
            for _ in range(400):
                crowd.append(socket.create_connection(("127.0.0.1", port), timeout=10 * SLOWNESS))
            for _ in range(5):
                time.sleep(0.3)
                assert requests.get(f"http://127.0.0.1:{port}/livez", timeout=5 * SLOWNESS).status_code == 200
            assert len(os.listdir(f"/proc/{process.pid}/fd")) < 230
        finally:
            for connection in crowd:
                connection.close()
        assert requests.post(f"http://127.0.0.1:{port}/embed", data=voice(), timeout=30 * SLOWNESS).status_code == 200


def test_far_too_few_open_files() -> None:
    done = subprocess.run(["bash", "-c", f"ulimit -n 100; exec '{BUILD}/voiceprintd' --listen 127.0.0.1:{free_port()} --model '{SMALL}'"],
                          cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "ulimit -n" in done.stderr


def test_a_storm_of_reloads() -> None:
    with Service() as service:
        clip = voice()
        memory, fds = service.resident_bytes(), service.open_fds()
        for _ in range(500):
            service.send_signal(signal.SIGHUP)
        start = time.monotonic()
        assert service.embed(clip).status_code == 200 and time.monotonic() - start < 2 * SLOWNESS
        service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 0, 30 * SLOWNESS, "the end of the storm")
        assert service.open_fds() <= fds + 1
        assert SLOWNESS > 1 or service.resident_bytes() < memory * 1.2 + (4 << 20)


def test_a_storm_of_resets() -> None:
    with Service(log_level="error") as service:
        fds = service.open_fds()
        for i in range(3000):
            with socket.create_connection(("127.0.0.1", service.port)) as connection:
                connection.sendall((b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\n\r\n", b"POST /embed HTTP/1.1\r\nContent-Length: 9\r\n\r\nRI")[i % 4])
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        service.wait_for(lambda: service.metric("voiceprintd_connections") <= 1, 10 * SLOWNESS, "no connections")
        assert service.open_fds() <= fds + 1 and service.metric("voiceprintd_upload_bytes_buffered") == 0
        assert service.embed(voice()).status_code == 200


def test_a_stopped_process_goes_on() -> None:
    """Deadlines pass meanwhile; what came in whole is answered all the same."""
    with Service(header_timeout_s=1, idle_timeout_s=1, request_timeout_s=60 * SLOWNESS, queue_timeout_ms=60_000 * SLOWNESS) as service:
        service.send_signal(signal.SIGSTOP)
        waiting = [send_embed(service, voice()) for _ in range(4)]
        time.sleep(2)
        service.send_signal(signal.SIGCONT)
        for connection in waiting:
            assert read_answer(connection)[0] == 200
            connection.close()
        assert service.get("/livez").status_code == 200


@pytest.mark.parametrize("head,kept", [(b"GET /livez HTTP/1.0\r\n\r\n", False), (b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
                                       (b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False),
                                       (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", True)])
def test_old_and_new_clients(head: bytes, kept: bool) -> None:
    with Service() as service, service.raw() as connection:
        connection.sendall(head)
        assert read_answer(connection)[0] == 200
        if kept:
            connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            assert read_answer(connection)[0] == 200
        assert read_all(connection, 5 * SLOWNESS) == b""


def test_an_upload_of_an_old_client() -> None:
    clip = voice()
    with Service() as service:
        answer = service.exchange(b"POST /embed HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(clip) + clip)
        assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1") == 1
        assert service.exchange(b"POST /embed HTTP/1.0\r\n\r\n" + clip).startswith(b"HTTP/1.1 400"), "a body without a length"
