"""POST /compare: clips, several clips a side, stored embeddings, and mixtures."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from service import Service, problem, voice


def stored(service: Service, seed: int, query: str = "") -> dict:
    return service.embed(voice(seed), query).json()


def post_json(service: Service, body: object, query: str = ""):
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return service.post("/compare" + query, data=text, headers={"Content-Type": "application/json"})


def test_every_field(service: Service) -> None:
    response = service.compare([voice(1)], [voice(2)])
    assert response.status_code == 200, response.text
    answer = response.json()
    assert -1 <= answer["score"] <= 1 and answer["metric"] == "cosine" and answer["range"] == [-1, 1]
    assert answer["threshold"] is None and answer["same_speaker"] is None and answer["calibrated"] is None
    for side in (answer["a"], answer["b"]):
        assert side["audio"]["container"] == "wav" and side["coherence"] == pytest.approx(1) and "rms_dbfs" in side["quality"]
    assert answer["model_digest"] == service.embed(voice()).json()["model_digest"]
    assert answer["request_id"] == response.headers["X-Request-Id"]


def test_score_is_the_cosine_of_the_embeddings(service: Service) -> None:
    a, b = (np.array(stored(service, seed)["embedding"]) for seed in (1, 2))
    assert service.compare([voice(1)], [voice(2)]).json()["score"] == pytest.approx(float(a @ b), abs=1e-5)
    assert service.compare([voice(1)], [voice(1)]).json()["score"] == pytest.approx(1, abs=1e-5)


def test_several_clips_a_side(service: Service) -> None:
    vectors = [np.array(stored(service, seed)["embedding"]) for seed in (1, 2, 3, 4)]
    answer = service.compare([voice(s) for s in (1, 2, 3)], [voice(4)]).json()
    mean = np.mean(vectors[:3], axis=0)
    assert answer["score"] == pytest.approx(float(mean / np.linalg.norm(mean) @ vectors[3]), abs=1e-5)
    pairs = [vectors[i] @ vectors[j] for i, j in ((0, 1), (0, 2), (1, 2))]
    assert answer["a"]["coherence"] == pytest.approx(float(np.mean(pairs)), abs=1e-5)
    assert answer["a"]["clips"] == 3 and len(answer["a"]["audio"]) == 3


def test_threshold_option(service: Service) -> None:
    score = service.compare([voice(1)], [voice(2)]).json()["score"]
    for threshold, same in ((score - 0.001, True), (score + 0.001, False)):
        if -1 <= threshold <= 1:
            answer = service.compare([voice(1)], [voice(2)], f"?threshold={threshold}").json()
            assert answer["same_speaker"] is same and answer["threshold"] == pytest.approx(threshold, abs=1e-8)
    for bad in ("nan", "inf", "0x1", "2", "", "1e", " 0.5"):
        response = service.compare([voice(1)], [voice(2)], "?threshold=" + bad)
        assert (response.status_code, problem(response), response.json()["field"]) == (400, "bad-request", "threshold")


def test_configured_threshold_and_calibration() -> None:
    with Service(threshold=0.5, calibration="2,-1") as service:
        answer = service.compare([voice(1)], [voice(2)]).json()
        llr = 2 * answer["score"] - 1
        assert answer["threshold"] == 0.5 and answer["same_speaker"] is (answer["score"] >= 0.5)
        assert answer["calibrated"]["llr"] == pytest.approx(llr, abs=1e-6)
        assert answer["calibrated"]["p"] == pytest.approx(1 / (1 + math.exp(-llr)), abs=1e-6)


@pytest.mark.parametrize("query", ["", "?normalize=false", "?encoding=base64", "?normalize=false&encoding=base64"])
def test_stored_embeddings(service: Service, query: str) -> None:
    expected = service.compare([voice(1)], [voice(2)]).json()["score"]
    a, b = stored(service, 1, query), stored(service, 2)
    answer = post_json(service, {"a": {"embedding": a["embedding"]}, "b": b}).json()
    assert answer["score"] == pytest.approx(expected, abs=1e-5)
    assert answer["a"]["audio"] is None


def test_clip_against_stored_embedding(service: Service) -> None:
    expected = service.compare([voice(1)], [voice(2)]).json()["score"]
    files = {"a": ("a.json", json.dumps(stored(service, 1)), "application/json"), "b": ("b.wav", voice(2), "audio/wav")}
    answer = service.post("/compare", files=files).json()
    assert answer["score"] == pytest.approx(expected, abs=1e-5)
    assert answer["a"]["audio"] is None and answer["b"]["audio"]["container"] == "wav"


def test_bad_json_names_the_member(service: Service) -> None:
    dim = service.get("/info").json()["dim"]
    good = {"embedding": [0.1] * dim}
    cases = [
        ("{", "body"), ("[]", "body"), ("", ""), ('{"a":1,"a":2}', "body"), (b"\xff\xfe{}", "body"),
        ({"a": good}, "b"), ({"a": good, "b": good, "c": 1}, "c"),
        ({"a": good, "b": {"embedding": [0.1] * (dim - 1)}}, "b.embedding"),
        ({"a": good, "b": {"embedding": [0.1] * (dim + 1)}}, "b.embedding"),
        ({"a": {"embedding": [0] * dim}, "b": good}, "a.embedding"),
        ({"a": {"embedding": ["0.1"] * dim}, "b": good}, "a.embedding"),
        ({"a": {"embedding": [1e300] * dim}, "b": good}, "a.embedding"),
        ('{"a":{"embedding":[' + ",".join(["NaN"] * dim) + "]}}", "body"),
        ({"a": {"embedding": "AAAA"}, "b": good}, "a.embedding"),
        ({"a": {"embedding": "=" * ((4 * dim + 2) // 3 * 4)}, "b": good}, "a.embedding"),
        ({"a": 5, "b": good}, "a.embedding"), ({"a": {}, "b": good}, "a.embedding"),
        ({"a": {**good, "model_digest": "sha256:other"}, "b": good}, "a.model_digest"),
        ("[" * 5000, "body")]
    for body, field in cases:
        response = post_json(service, body)
        assert response.status_code == 400, (body, response.text)
        assert problem(response) == ("empty-body" if body == "" else "bad-request")
        assert response.json().get("field", "") == field, (body, response.text)


def test_json_needs_no_queue_slot() -> None:
    with Service(workers=1, queue_size=1) as service:
        before = service.metric("voiceprintd_stage_duration_seconds_count", stage="queue")
        a = {"embedding": [1.0] + [0.0] * (service.get("/info").json()["dim"] - 1)}
        assert post_json(service, {"a": a, "b": a}).json()["score"] == pytest.approx(1)
        assert service.metric("voiceprintd_stage_duration_seconds_count", stage="queue") == before


@pytest.mark.parametrize("a,b,side,clip,name", [
    ([b"no audio at all"], [voice()], "a", 0, "unsupported-audio"),
    ([voice()], [voice(), voice()[:60]], "b", 1, "undecodable-audio"), ([voice()], [b""], "b", 0, "empty-body")])
def test_problem_names_the_side(service: Service, a: list, b: list, side: str, clip: int, name: str) -> None:
    response = service.compare(a, b)
    assert problem(response) == name
    assert (response.json()["side"], response.json()["clip"]) == (side, clip)


def test_wrong_parts(service: Service) -> None:
    clip = ("x.wav", voice(), "audio/wav")
    vec = ("x.json", json.dumps(stored(service, 1)), "application/json")
    for parts, field in (([("a", clip)], "b"), ([("b", clip)], "a"), ([("a", clip), ("b", clip), ("c", clip)], "c"),
                         ([("a", clip)] * 9 + [("b", clip)], "a"), ([("a", clip)] * 20, "a"),
                         ([("a", vec), ("a", clip), ("b", clip)], "a"), ([("a", clip), ("b", vec), ("b", vec)], "b")):
        response = service.post("/compare", files=parts)
        assert (response.status_code, problem(response), response.json()["field"]) == (400, "bad-request", field)


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/octet-stream"])
def test_json_without_its_type_is_told_the_remedy(service: Service, content_type: str | None) -> None:
    clip = ("a.wav", voice(1))
    for text in (json.dumps(stored(service, 1)), " \r\n" + json.dumps(stored(service, 1), indent=2)):
        response = service.post("/compare", files=[("a", clip), ("b", ("b.json", text, content_type) if content_type else ("b", text))])
        assert (response.status_code, response.json()["field"]) == (400, "b")
        assert "b=@FILE;type=application/json" in response.json()["detail"]


def test_other_types(service: Service) -> None:
    for headers in ({"Content-Type": "audio/wav"}, {"Content-Type": "application/x-www-form-urlencoded"}, {}):
        response = service.post("/compare", data=voice(), headers=headers)
        assert (response.status_code, problem(response), response.json()["field"]) == (400, "bad-request", "content-type")
    assert problem(service.compare([voice()], [voice()], "?normalize=true")) == "bad-request"
