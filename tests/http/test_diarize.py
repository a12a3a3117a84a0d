"""POST /diarize: the contract, options and recordings good and bad, limits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from contract import judge
from conversation import CALL, NDJSON, diarize, two_voices, wait_under_way
from service import ROOT, SMALL, Service, problem, speech, voice, wav, wav_float


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
    ("uri=" + "a" * 200, "query"), ("normalize=true", "normalize"), ("speakers=2", "speakers"), ("%ff=1", None)])
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
                                (CALL[:30], 422, "undecodable-audio"), (CALL[:-20000], 422, "undecodable-audio"),
                                (wav_float(nan), 422, "invalid-samples"), (wav(two_voices()[::4], rate=4000), 422, "unsupported-rate")):
        response = diarize(calls, audio)
        assert (response.status_code, problem(response)) == (status, name)
        judge(response, "/diarize", "POST")
        response = diarize(calls, audio, headers=NDJSON)
        if response.status_code == 200:  # a slow machine may have begun the answer before it came to the fault
            last = json.loads(response.text.splitlines()[-1])
            assert (last["status"], last["type"]) == (status, "urn:voiceprintd:problem:" + name) and status == 422
        else:
            assert (response.status_code, problem(response)) == (status, name)
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


def test_the_segmentation_network_beside_the_model(tmp_path: Path) -> None:
    model = shutil.copy(SMALL, tmp_path / "mine.safetensors")
    network = ROOT / "tests/golden/segmentation/small.safetensors"
    shutil.copy(network, tmp_path / "segmentation.safetensors")
    with Service(model=model) as service:
        response = service.get("/info")
        judge(response, "/info", "GET")
        facts = response.json()["segmentation"]
        assert facts["name"] == "small" and facts["license"] is None and facts["origin"] is None
        response = diarize(service)
        judge(response, "/diarize", "POST")
        assert response.json()["engine"] == "segmentation" and response.json()["segmentation"] == facts
    for options in ({"segmentation_model": "none"}, {"max_duration_s": 9}):
        with Service(model=model, **options) as service:
            assert service.get("/info").json()["segmentation"] is None
            assert diarize(service).json()["engine"] == "vad"
