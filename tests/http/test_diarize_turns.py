"""POST /diarize: lines of progress, turns with /embed, clients that leave, drain."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests
from contract import judge_body
from conversation import CALL, IN_SLICES, IS_TSAN, LONG, NDJSON, diarize, send, timeless, two_voices, under_way, wait_under_way
from service import LARGE, SLOWNESS, Service, problem, read_all, voice, wav, wav_float


@pytest.fixture(scope="module")
def calls() -> Iterator[Service]:
    with Service(workers=2, queue_size=8) as running:
        yield running


# ---- lines of progress -------------------------------------------------------------------------


def lines_of(response: requests.Response) -> list[tuple[float, dict[str, Any]]]:
    """Every line with the moment when it came."""
    return [(time.monotonic(), json.loads(line)) for line in response.iter_lines(chunk_size=1)]


def test_lines(calls: Service) -> None:
    with Service(model=LARGE, workers=2) as service:
        start = time.monotonic()
        response = diarize(service, IN_SLICES, headers=NDJSON, stream=True)
        assert response.status_code == 200 and response.headers["Content-Type"] == "application/x-ndjson"
        assert response.headers["Cache-Control"] == "no-store" and response.headers["X-Request-Id"]
        lines = lines_of(response)
        times = [start, *(moment for moment, _ in lines)]
        assert max(np.diff(times)) < 5 * SLOWNESS
        progress = [line["progress"] for _, line in lines[:-1]]
        assert len(progress) >= 2 and progress == sorted(progress) and 0 <= progress[0] and progress[-1] <= 1
        assert all(set(line) == {"progress", "stage"} for _, line in lines[:-1])
        judge_body(lines[-1][1], "/diarize", "POST", 200, "application/json")
        assert timeless(lines[-1][1]) == timeless(diarize(service, IN_SLICES).json())
        entry = service.log_line(response.headers["X-Request-Id"])
        assert entry["slices"] > 2 and entry["audio_s"] == pytest.approx(lines[-1][1]["duration_s"], abs=0.1)
        assert not {"speakers", "turns", "segments", "num_speakers"} & set(entry), "nothing about voices is logged"
        assert service.metric("voiceprintd_stage_duration_seconds_count", stage="slice") > 4
        assert service.metric("voiceprintd_diarized_audio_seconds_total") > 2 * entry["audio_s"] - 1
        assert service.metric("voiceprintd_http_requests_total", route="diarize", code="200") == 2


@pytest.mark.parametrize("accept,lines", [
    ("application/x-ndjson", True), ("application/json, Application/X-NDJSON;q=0.5", True), ("application/x-ndjson;q=0", False),
    ("application/x-ndjsonx", False), ("application/json;x=application/x-ndjson", False), ("", False), (",,;q=1,", False)])
def test_who_asks_for_lines(calls: Service, accept: str, lines: bool) -> None:
    response = diarize(calls, headers={"Accept": accept})
    assert response.headers["Content-Type"] == ("application/x-ndjson" if lines else "application/json")


def test_lines_are_not_for_rttm(calls: Service) -> None:
    response = diarize(calls, query="?format=rttm", headers=NDJSON)
    assert (response.status_code, problem(response), response.json()["field"]) == (400, "bad-request", "format")


def test_a_fault_in_mid_stream_is_the_last_line(calls: Service) -> None:
    samples = np.tile(two_voices(), 4 if IS_TSAN else 10)
    samples[-100] = np.nan
    response = diarize(calls, wav_float(samples), headers=NDJSON)
    assert response.status_code == 200
    last = json.loads(response.text.splitlines()[-1])
    assert last["type"].endswith("invalid-samples") and last["status"] == 422
    assert calls.log_line(response.headers["X-Request-Id"])["problem"] == "invalid-samples"


def test_an_old_client_gets_lines_until_the_close(calls: Service) -> None:
    with send(calls, CALL, version="1.0", accept="application/x-ndjson") as connection:
        head, body = read_all(connection, 30 * SLOWNESS).split(b"\r\n\r\n", 1)
    assert b"chunked" not in head and json.loads(body.splitlines()[-1])["num_speakers"] >= 1


def test_a_connection_is_kept_after_lines(calls: Service) -> None:
    with requests.Session() as session:
        for _ in range(3):
            response = session.post(calls.url + "/diarize", data=CALL, headers=NDJSON, timeout=60 * SLOWNESS)
            assert json.loads(response.text.splitlines()[-1])["num_speakers"] >= 1
            assert session.get(calls.url + "/livez", timeout=10).status_code == 200


# ---- many at once ------------------------------------------------------------------------------


def test_bytes_do_not_depend_on_workers_or_company() -> None:
    calls_ = [wav(two_voices(turn)) for turn in (2.0, 3.1, 4.7)]
    expected: list[dict[str, Any]] = []
    for options in ({"workers": 1}, {"workers": 2, "threads_per_request": "auto"}, {"workers": 3}):
        with Service(queue_size=64, **options) as service:
            answers: dict[int, list[dict[str, Any]]] = {0: [], 1: [], 2: []}
            failures: list[str] = []

            def ask(k: int, service: Service = service, answers: dict = answers, failures: list = failures) -> None:
                for i in range(2):
                    response = diarize(service, calls_[k], "?embeddings=true", headers=NDJSON if i == 1 else {})
                    if response.status_code != 200:
                        failures.append(response.text)
                        return
                    answers[k].append(timeless(json.loads(response.text.splitlines()[-1])))
                    if service.embed(voice(k)).status_code != 200:
                        failures.append("embed")
            threads = [threading.Thread(target=ask, args=(k,)) for k in range(3)]
            for thread in threads:
                thread.start()
            service.send_signal(signal.SIGHUP)
            for thread in threads:
                thread.join(120 * SLOWNESS)
            assert not failures, failures
            expected = expected or [answers[k][0] for k in range(3)]
            for k in range(3):
                assert all(answer == expected[k] for answer in answers[k]) and len(answers[k]) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_clips_take_turns_with_slices(workers: int) -> None:
    with Service(model=LARGE, workers=workers) as service:
        with send(service, IN_SLICES, accept="application/x-ndjson") as connection:
            wait_under_way(service, 1)
            for i in range(3):
                assert service.embed(voice(i)).status_code == 200
            assert under_way(service) == 1, "clips do not wait for its end"
            assert service.metric("voiceprintd_workers_busy") <= workers
            body = read_all(connection, 20 * SLOWNESS)
        assert b'"num_speakers"' in body, "nor does it wait for theirs"


def test_a_diarization_is_not_starved_by_clips() -> None:
    with Service(model=LARGE, workers=1, queue_size=64, queue_timeout_ms=60000 * SLOWNESS) as service:
        stop = threading.Event()

        def client() -> None:
            while not stop.is_set():
                service.embed(voice(1, 3.0))
        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 1, 10, "clips")
            assert diarize(service, CALL).status_code == 200
        finally:
            stop.set()
            for thread in threads:
                thread.join(60 * SLOWNESS)


def test_too_many() -> None:
    with Service(model=LARGE, workers=2, queue_size=2) as service:
        held = [send(service, request_id=f"held-{i}") for i in range(2)]
        wait_under_way(service, 2)
        response = diarize(service)
        assert (response.status_code, problem(response)) == (503, "overloaded") and response.headers["Retry-After"]
        assert service.embed(voice()).status_code == 200, "clips have places of their own"
        assert {service.metric("voiceprintd_workers_busy") for _ in range(20)} <= {0, 1}, "one worker is left to clips"
        for connection in held:
            connection.close()
        wait_under_way(service, 0)
        assert diarize(service).status_code == 200


def test_time_is_up() -> None:
    with Service(model=LARGE, workers=1, diarize_timeout_s=1.5) as service:
        response = diarize(service, LONG)
        assert (response.status_code, problem(response)) == (503, "queue-timeout")
        response = diarize(service, LONG, headers=NDJSON)
        if response.status_code == 200:
            assert json.loads(response.text.splitlines()[-1])["type"].endswith("queue-timeout")
        wait_under_way(service, 0)
        assert service.embed(voice()).status_code == 200


# ---- clients that leave, and the end -----------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize("rude", [False, True])
def test_a_client_that_leaves_is_noticed(accept: str, rude: bool) -> None:
    with Service(model=LARGE, workers=2) as service:
        connection = send(service, request_id="gone", accept=accept)
        wait_under_way(service, 1)
        if "ndjson" in accept:
            assert connection.recv(10), "the answer has begun"
        if rude:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        service.wait_for(lambda: under_way(service) == 0, 5 * SLOWNESS, "the work dropped")
        assert service.log_line("gone")["status"] in (200, 499)
        service.wait_for(lambda: service.metric("voiceprintd_upload_bytes_buffered") == 0, 5 * SLOWNESS, "the memory back")
        assert service.metric("voiceprintd_workers_busy") == 0


def test_clients_that_do_not_read_harm_nobody() -> None:
    with Service(model=LARGE, workers=2, request_timeout_s=3 * SLOWNESS, queue_timeout_ms=60_000) as service:
        lazy = service.raw()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        audio = CALL
        lazy.sendall(b"POST /diarize HTTP/1.1\r\nHost: x\r\nX-Request-Id: lazy\r\nAccept: application/x-ndjson\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(audio) + audio)
        for _ in range(3):
            assert service.embed(voice()).status_code == 200
        assert service.log_line("lazy")["status"] == 200
        lazy.close()


def test_drain_refuses_new_ones_and_cuts_what_runs() -> None:
    with Service(model=LARGE, workers=2, drain_delay_s=1 if SLOWNESS == 1 else 3, drain_timeout_s=1.0) as service:
        plain = send(service, request_id="plain")
        lines = send(service, request_id="lines", accept="application/x-ndjson")
        wait_under_way(service, 2)
        assert lines.recv(10), "the answer has begun"
        service.send_signal(signal.SIGTERM)
        service.wait_for(lambda: service.get("/readyz").status_code == 503, 5 * SLOWNESS, "the drain")
        response = diarize(service)
        assert (response.status_code, problem(response)) == (503, "draining")
        assert service.embed(voice()).status_code == 200, "clips are served until the socket closes"
        body = read_all(lines, 30 * SLOWNESS)
        assert b"urn:voiceprintd:problem:draining" in body and body.rstrip().endswith(b"0"), body[-300:]
        answer = read_all(plain, 30 * SLOWNESS)
        assert answer.startswith(b"HTTP/1.1 503") and b"problem:draining" in answer
        assert service.wait_end() == 1
        plain.close()
        lines.close()


def test_drain_waits_for_what_can_be_done() -> None:
    with Service(workers=2, drain_timeout_s=60 * SLOWNESS) as service:
        connections = [send(service, wav(np.tile(two_voices(), 2 if IS_TSAN else 6)), f"r{i}", accept=accept)
                       for i, accept in enumerate(("*/*", "application/x-ndjson"))]
        wait_under_way(service, 2)
        service.send_signal(signal.SIGTERM)
        for connection in connections:
            assert b'"num_speakers"' in read_all(connection, 60 * SLOWNESS)
            connection.close()
        assert service.wait_end() == 0
