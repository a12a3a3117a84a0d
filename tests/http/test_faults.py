"""Faults injected where memory, encoding, replies and inference may fail: an error answer or a closed
connection, never a crash, never a wrong embedding, nothing kept."""

from __future__ import annotations

import json
import socket
from collections import Counter

import numpy as np
import pytest
import requests
from conversation import NDJSON, diarize
from service import Service, read_answer, speech, voice, wav


@pytest.mark.parametrize("place,statuses", [
    ("upload:3", {200, 503}), ("job:5", {200, 503}), ("json:3", {200, 503}), ("reply:3", {200, "closed"}),
    ("decode:3", {200, 503}), ("inference:3", {200, 500}),
    ("upload:7,job:11,json:5,reply:7,decode:5,inference:7", {200, 500, 503, "closed"})])
def test_faults(place: str, statuses: set) -> None:
    clips = [voice(seed) for seed in range(3)]
    with Service() as healthy:
        expected = [np.array(healthy.embed(clip).json()["embedding"]) for clip in clips]
        score = healthy.compare([clips[0]], [clips[1]]).json()["score"]
    with Service(wait=False, env={"VOICEPRINT_FAULTS": place}) as service:
        def is_ready() -> bool:
            try:
                with service.raw() as connection:
                    connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
                    return read_answer(connection)[0] == 200
            except OSError:
                return False
        service.wait_for(is_ready, 120, "/readyz")
        seen: Counter = Counter()
        for i in range(45):
            try:
                if i % 3 == 2:
                    response = service.compare([clips[0]], [clips[1]])
                    if response.status_code == 200:
                        assert response.json()["score"] == pytest.approx(score, abs=1e-6)
                else:
                    response = service.embed(clips[i % 3])
                    if response.status_code == 200:
                        assert np.allclose(response.json()["embedding"], expected[i % 3], atol=1e-6)
                seen[response.status_code] += 1
                if response.status_code != 200:
                    assert response.json()["type"].split(":")[-1] in ("overloaded-memory", "inference-failed")
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                seen["closed"] += 1
        assert set(seen) == statuses, seen
        service.wait_for(lambda: _metric(service, "voiceprintd_upload_bytes_buffered") == 0, 20, "nothing buffered")
        if "inference" in place:
            assert _metric(service, "voiceprintd_inference_invalid_total") >= 1


@pytest.mark.parametrize("place,statuses", [("decode:29", {200, 503}), ("json:4", {200, 503}), ("reply:4", {200, "closed"}),
                                            ("upload:9,job:7,json:7,reply:9,decode:29", {200, 503, "closed"})])
def test_faults_of_conversations(place: str, statuses: set) -> None:
    """A conversation is decoded in as many slices as the machine is slow, so only a rare fault spares some."""
    with Service() as healthy:
        turns = diarize(healthy).json()["segments"]
    with Service(wait=False, env={"VOICEPRINT_FAULTS": place}) as service:
        service.wait_for(lambda: _metric(service, "voiceprintd_workers") > 0, 120, "an answer")
        service.wait_for(lambda: "model-loaded" in service.log(), 120, "the model")
        seen: Counter = Counter()
        for i in range(40):
            try:
                response = diarize(service, headers=NDJSON if i % 2 else {})
                answer = json.loads(response.text.splitlines()[-1])
                if "segments" in answer:
                    assert answer["segments"] == turns and response.status_code == 200
                else:
                    assert answer["type"].split(":")[-1] == "overloaded-memory"
                seen[answer.get("status", 200)] += 1
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                seen["closed"] += 1
        assert set(seen) == statuses, seen
        for name in ("voiceprintd_upload_bytes_buffered", "voiceprintd_diarizations", "voiceprintd_workers_busy"):
            service.wait_for(lambda name=name: _metric(service, name) == 0, 20, name)


def _metric(service: Service, name: str) -> float:
    for _ in range(20):  # the answer of /metrics may be the one that fails
        try:
            return service.metric(name)
        except (requests.ConnectionError, json.JSONDecodeError):
            continue
    return -1


def test_short_writes() -> None:
    """A client with the smallest window, which reads a byte now and then, gets the whole answer."""
    with Service() as service:
        clip = wav(speech(2.0))
        whole = service.embed(clip).json()["embedding"]
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            connection.settimeout(60)
            connection.connect(("127.0.0.1", service.port))
            connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(clip) + clip)
            answer = b""
            while piece := connection.recv(37):
                answer += piece
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["embedding"] == whole
