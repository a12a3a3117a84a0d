"""POST /diarize: the contract, lines of progress, clients that leave, drain, turns with /embed."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from contract import judge, judge_body
from service import LARGE, SLOWNESS, SMALL, Service, problem, read_all, speech, voice, wav, wav_float

NDJSON = {"Accept": "application/x-ndjson"}


def two_voices(turn_s: float = 4.0) -> np.ndarray:
    return np.concatenate([speech(turn_s, seed=1, pitch_hz=95), np.zeros(8000, np.float32), speech(turn_s, seed=2, pitch_hz=230),
                           speech(turn_s, seed=1, pitch_hz=95)])


CALL = wav(two_voices())
# Enough for seconds of work, in few bytes to send.
LONG = wav(np.tile(two_voices()[::2], 25), rate=8000)


def timeless(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in ("timing_ms", "request_id")}


def diarize(service: Service, audio: bytes = CALL, query: str = "", **kwargs: Any) -> requests.Response:
    return service.post("/diarize" + query, data=audio, **kwargs)


def send(service: Service, audio: bytes = LONG, request_id: str = "test", version: str = "1.1", accept: str = "*/*") -> socket.socket:
    """Sends a whole request and does not wait for the answer."""
    connection = service.raw()
    connection.sendall(f"POST /diarize HTTP/{version}\r\nHost: x\r\nX-Request-Id: {request_id}\r\nAccept: {accept}\r\n"
                       "Connection: close\r\n"
                       f"Content-Length: {len(audio)}\r\n\r\n".encode() + audio)
    return connection


def under_way(service: Service) -> float:
    return service.metric("voiceprintd_diarizations")


def wait_under_way(service: Service, n: int) -> None:
    service.wait_for(lambda: under_way(service) == n, 20 * SLOWNESS, f"{n} diarizations")


@pytest.fixture(scope="module")
def calls() -> Iterator[Service]:
    with Service(workers=2, queue_size=8) as running:
        yield running


# ---- the contract ------------------------------------------------------------------------------


def test_answer(calls: Service) -> None:
    response = diarize(calls, query="?embeddings=true")
    assert response.status_code == 200, response.text
    judge(response, "/diarize", "POST")
    answer = response.json()
    assert answer["engine"] == "vad" and answer["segmentation"] is None and answer["overlap_s"] == 0
    assert answer["duration_s"] == pytest.approx(12.5, abs=0.01) and 8 < answer["speech_s"] <= 12.5
    assert answer["num_speakers_from"] == "estimated" and "no_overlap_detection" in answer["warnings"]
    labels = [speaker["speaker"] for speaker in answer["speakers"]]
    assert labels == [f"SPEAKER_{i:02d}" for i in range(answer["num_speakers"])]
    assert sum(speaker["share"] for speaker in answer["speakers"]) == pytest.approx(1, abs=1e-6)
    for turns in (answer["segments"], answer["exclusive"]):
        assert {turn["speaker"] for turn in turns} == set(labels)
        assert turns == sorted(turns, key=lambda turn: (turn["start"], turn["speaker"]))
        for turn in turns:
            assert 0 <= turn["start"] < turn["end"] <= 12.5 and round(turn["start"], 3) == turn["start"]
    assert all(a["end"] <= b["start"] for a, b in zip(answer["exclusive"], answer["exclusive"][1:]))
    for speaker in answer["speakers"]:
        assert np.linalg.norm(speaker["embedding"]) == pytest.approx(1, abs=1e-5)
        stored = {"embedding": speaker["embedding"], "model_digest": answer["model_digest"]}
        assert calls.post("/compare", json={"a": stored, "b": stored}).json()["score"] == pytest.approx(1, abs=1e-6)
    assert calls.post("/v1/diarize?embeddings=true", data=CALL).json()["segments"] == answer["segments"]


def test_rttm_says_the_same(calls: Service) -> None:
    response = diarize(calls, query="?format=rttm&uri=call-7")
    judge(response, "/diarize", "POST")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    turns = diarize(calls).json()["segments"]
    lines = [line.split() for line in response.text.splitlines()]
    assert len(lines) == len(turns) > 0
    for fields, turn in zip(lines, turns):
        assert len(fields) == 10 and fields[:3] == ["SPEAKER", "call-7", "1"] and fields[7] == turn["speaker"]
        assert (float(fields[3]), float(fields[3]) + float(fields[4])) == pytest.approx((turn["start"], turn["end"]), abs=2e-3)
    assert diarize(calls, query="?format=rttm").text.split()[1] == "audio"


def test_options(calls: Service) -> None:
    asked = diarize(calls, query="?num_speakers=2").json()
    assert asked["num_speakers"] == 2 and asked["num_speakers_from"] == "request"
    assert diarize(calls, query="?num_speakers=1").json()["num_speakers"] == 1
    one = diarize(calls, query="?max_speakers=1&engine=vad").json()
    assert one["num_speakers"] == 1 and all(turn["confidence"] is None for turn in one["segments"])
    assert diarize(calls, query="?threshold=0.25").json()["threshold"] == 0.25
    short = diarize(calls, wav(speech(2.0)), "?min_on=4&min_off=0").json()
    assert short["segments"] == [], "a turn below min_on"
    text = diarize(calls, query="?embeddings=true&encoding=base64").json()["speakers"][0]["embedding"]
    assert isinstance(text, str) and calls.post("/compare", json={"a": {"embedding": text}, "b": {"embedding": text}}).status_code == 200


@pytest.mark.parametrize("query,field", [
    ("num_speakers=0", "num_speakers"), ("num_speakers=21", "num_speakers"), ("num_speakers=-1", "num_speakers"),
    ("num_speakers=2.0", "num_speakers"), ("num_speakers=%20", "num_speakers"), ("num_speakers=", "num_speakers"),
    ("num_speakers=99999999999999999999", "num_speakers"), ("min_speakers=3&max_speakers=2", "min_speakers"),
    ("num_speakers=2&min_speakers=1", "num_speakers"), ("num_speakers=2&max_speakers=3", "num_speakers"),
    ("max_speakers=2&max_speakers=2", "max_speakers"), ("min_speakers=0x2", "min_speakers"), ("threshold=nan", "threshold"),
    ("threshold=1.01", "threshold"), ("threshold=inf", "threshold"), ("engine=best", "engine"), ("engine=", "engine"),
    ("engine=segmentation", "engine"), ("min_on=-1", "min_on"), ("min_on=5.1", "min_on"), ("min_off=1e999", "min_off"),
    ("min_off=1s", "min_off"), ("embeddings=yes", "embeddings"), ("embeddings", "embeddings"), ("format=xml", "format"),
    ("uri=", "uri"), ("uri=a%20b", "uri"), ("uri=%0a", "query"), ("uri=" + "a" * 65, "uri"), ("uri=../x", "uri"),
    ("uri=" + "a" * 90, "query"), ("normalize=true", "normalize"), ("speakers=2", "speakers"), ("%ff=1", None)])
def test_bad_options(calls: Service, query: str, field: str | None) -> None:
    response = diarize(calls, query="?" + query)
    assert (response.status_code, problem(response)) == (400, "bad-request")
    judge(response, "/diarize", "POST")
    assert field is None or response.json()["field"] == field


def test_options_at_their_ends(calls: Service) -> None:
    for query in ("num_speakers=20", "min_speakers=1&max_speakers=20", "min_speakers=20", "threshold=-1", "threshold=1", "min_on=0&min_off=5",
                  "uri=" + "a" * 64, "uri=A-b_c.9&format=rttm", "num%5Fspeakers=2", "engine=auto"):
        assert diarize(calls, query="?" + query).status_code == 200, query


def test_bad_recordings(calls: Service) -> None:
    nan = two_voices()
    nan[-100] = np.nan
    for audio, status, name in ((b"", 400, "empty-body"), (b"text and nothing else", 415, "unsupported-audio"),
                                (CALL[:30], 422, "undecodable-audio"), (CALL[:-5000], 422, "undecodable-audio"),
                                (wav_float(nan), 422, "invalid-samples"), (wav(two_voices()[::4], rate=4000), 422, "unsupported-rate")):
        for headers in ({}, NDJSON):
            response = diarize(calls, audio, headers=headers)
            assert (response.status_code, problem(response)) == (status, name)
            judge(response, "/diarize", "POST")
    assert calls.get("/diarize").status_code == 405
    wait_under_way(calls, 0)
    assert calls.metric("voiceprintd_upload_bytes_buffered") == 0


def test_forms(calls: Service) -> None:
    turns = diarize(calls).json()["segments"]
    answer = calls.post("/diarize", files={"file": ("x.bin", CALL, "text/plain")}).json()
    assert answer["segments"] == turns and "content_type_guessed" in answer["warnings"]
    for files in ({"a": CALL}, {"file": CALL, "b": b"x"}, [("file", CALL), ("file", CALL)]):
        assert problem(calls.post("/diarize", files=files)) == "bad-request"
    assert problem(calls.post("/diarize", files={"file": ("x", b"")})) == "empty-body"


def test_what_is_no_conversation(calls: Service) -> None:
    for audio in (wav(np.zeros(48000, np.float32)), wav(np.zeros(1600, np.float32))):
        answer = diarize(calls, audio).json()
        assert answer["segments"] == answer["exclusive"] == answer["speakers"] == [] and answer["num_speakers"] == 0
        assert {"no_speech", "short_audio"} <= set(answer["warnings"])
        assert diarize(calls, audio, "?format=rttm").text == ""
    assert diarize(calls, wav(speech(0.3))).status_code == 200


def test_limits() -> None:
    n = len(CALL)
    with Service(diarize_max_duration_s=5, diarize_max_body_bytes=n) as service:
        response = diarize(service)
        assert (response.status_code, problem(response)) == (422, "audio-too-long") and response.json()["limit_s"] == 5
        response = diarize(service, CALL + b"x")
        assert (response.status_code, problem(response)) == (413, "body-too-large") and response.json()["max_bytes"] == n
        assert service.post("/diarize", files={"file": CALL}).status_code == 422, "a form of the same recording fits"
        assert problem(service.post("/diarize", files={"file": CALL + b"x"})) == "body-too-large"
        assert service.embed(voice()).status_code == 200
        with service.raw() as holder:  # half of an upload: the memory set aside is full
            holder.sendall(b"POST /diarize HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % n + CALL[:1000])
            service.wait_for(lambda: service.metric("voiceprintd_upload_bytes_buffered") >= n, 10, "the reservation")
            response = service.post("/diarize", files={"file": CALL})
            assert (response.status_code, problem(response)) == (503, "overloaded-memory")
            assert service.embed(voice()).status_code == 200, "clips have a budget of their own"
        service.wait_for(lambda: service.metric("voiceprintd_upload_bytes_buffered") == 0, 10, "the memory back")


def test_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("first-secret-key-0001\n")
    with Service(api_keys_file=keys) as service:
        assert problem(diarize(service)) == "unauthorized"
        assert diarize(service, headers={"Authorization": "Bearer first-secret-key-0001"}).status_code == 200


# ---- lines of progress -------------------------------------------------------------------------


def lines_of(response: requests.Response) -> list[tuple[float, dict[str, Any]]]:
    """Every line with the moment when it came."""
    return [(time.monotonic(), json.loads(line)) for line in response.iter_lines(chunk_size=1)]


def test_lines(calls: Service) -> None:
    with Service(model=LARGE, workers=2) as service:
        start = time.monotonic()
        response = diarize(service, LONG, headers=NDJSON, stream=True)
        assert response.status_code == 200 and response.headers["Content-Type"] == "application/x-ndjson"
        assert response.headers["Cache-Control"] == "no-store" and response.headers["X-Request-Id"]
        lines = lines_of(response)
        times = [start, *(moment for moment, _ in lines)]
        assert max(np.diff(times)) < 5 * SLOWNESS
        progress = [line["progress"] for _, line in lines[:-1]]
        assert len(progress) >= 2 and progress == sorted(progress) and 0 <= progress[0] and progress[-1] <= 1
        assert all(set(line) == {"progress", "stage"} for _, line in lines[:-1])
        judge_body(lines[-1][1], "/diarize", "POST", 200, "application/json")
        assert timeless(lines[-1][1]) == timeless(diarize(service, LONG).json())
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
    samples = np.tile(two_voices(), 40)
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
                for i in range(3):
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
                assert all(answer == expected[k] for answer in answers[k]) and len(answers[k]) == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_clips_take_turns_with_slices(workers: int) -> None:
    with Service(model=LARGE, workers=workers) as service:
        with send(service, accept="application/x-ndjson") as connection:
            wait_under_way(service, 1)
            for i in range(5):
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
            assert diarize(service, wav(np.tile(two_voices(), 4))).status_code == 200
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
    with Service(model=LARGE, workers=2, drain_delay_s=1 * SLOWNESS, drain_timeout_s=1.0) as service:
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
        connections = [send(service, wav(np.tile(two_voices(), 10)), f"r{i}", accept=accept)
                       for i, accept in enumerate(("*/*", "application/x-ndjson"))]
        service.wait_for(lambda: service.metric("voiceprintd_stage_duration_seconds_count", stage="slice") > 0, 20 * SLOWNESS, "a slice")
        service.send_signal(signal.SIGTERM)
        for connection in connections:
            assert b'"num_speakers"' in read_all(connection, 60 * SLOWNESS)
            connection.close()
        assert service.wait_end() == 0
