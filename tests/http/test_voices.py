"""PUT, POST, GET and DELETE of known voices, and verifying against one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from service import Service, problem, voice
from voices import Voices, axis, near, serve


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voices]:
    with serve(tmp_path_factory.mktemp("voices") / "voices.db") as service:
        yield Voices(service)


@pytest.fixture(autouse=True)
def nobody_is_known(voices: Voices) -> None:
    for collection in ("default", "other"):
        voices.clear(f"?collection={collection}&confirm={collection}")


def refused(answer: requests.Response, status: int, name: str, field: str | None = None) -> None:
    assert (answer.status_code, problem(answer)) == (status, name), answer.text
    assert field is None or answer.json()["field"] == field, answer.text


def test_off_without_a_file(service: Service) -> None:
    for method, path in (("GET", "/voices"), ("PUT", "/voices/a"), ("DELETE", "/v1/voices/a"), ("POST", "/identify"),
                         ("POST", "/voices/a/verify"), ("POST", "/voices/a/clips"), ("DELETE", "/voices/a/clips/0")):
        answer = requests.request(method, service.url + path, data=b"x" if method in ("PUT", "POST") else None, timeout=30)
        refused(answer, 404, "not-found", "voices")
        assert "sqlite:" in answer.json()["detail"]
    assert "voiceprintd_voices " not in service.get("/metrics").text


def test_enrol_from_recordings(voices: Voices) -> None:
    answer = voices.send("ada", [voice(1, 4), voice(1, 5)], metadata='{"team": "a", "n": 3}')
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["id"] == "ada" and body["collection"] == "default" and body["clips"] == 2 and not body["stale"]
    assert body["metadata"] == {"team": "a", "n": 3} and [c["clip"] for c in body["clip_details"]] == [0, 1]
    assert body["speech_s"] == pytest.approx(sum(c["speech_s"] for c in body["clip_details"]))
    assert body["similar_voice"] is None and -1 <= body["coherence"] <= 1.000001
    assert re.fullmatch(r'"[0-9a-f]{16}"', answer.headers["ETag"])
    got = voices.get("ada")
    assert got.headers["ETag"] == answer.headers["ETag"]
    assert {k: v for k, v in got.json().items() if k != "request_id"} == {
        k: v for k, v in body.items() if k not in ("request_id", "warnings", "similar_voice")}


def test_raw_body_replaces(voices: Voices) -> None:
    first = voices.send("ada", [voice(1, 4)], metadata="{}")
    answer = requests.put(voices.service.url + "/v1/voices/ada", data=voice(2, 4), timeout=60)
    assert answer.status_code == 200 and answer.json()["clips"] == 1 and answer.json()["metadata"] is None
    assert answer.headers["ETag"] != first.headers["ETag"] and answer.json()["created"] == first.json()["created"]


def test_too_little_speech_is_kept_and_not_matched(voices: Voices) -> None:
    a = axis(0, voices.dim)
    body = voices.put("ada", [a], speech_s=1).json()
    assert not body["enrolled"] and body["missing_speech_s"] == pytest.approx(2) and "too_little_speech" in body["warnings"]
    refused(voices.verify("ada", a), 409, "voice-unusable")
    found = voices.identify(a).json()
    assert found["identity"] is None and found["voices"] == 0 and found["candidates"] == []
    body = voices.add("ada", [a], speech_s=2).json()
    assert body["enrolled"] and body["missing_speech_s"] == 0 and body["warnings"] == []
    assert voices.verify("ada", a).json()["same_speaker"] is True
    assert voices.identify(a).json()["identity"] == "ada"


def test_seconds_come_with_an_answer_of_embed(voices: Voices) -> None:
    embedded = voices.service.embed(voice(1, 4)).json()
    body = voices.call("PUT", "/voices/ada", "/voices/{id}", json={"embeddings": [embedded, embedded]}).json()
    assert body["speech_s"] == pytest.approx(2 * embedded["quality"]["speech_s"], rel=1e-6)
    probe = np.array(embedded["embedding"])
    assert voices.verify("ada", probe).json()["score"] == pytest.approx(1, abs=1e-5)


def test_clips_are_added_and_removed(voices: Voices) -> None:
    d = voices.dim
    voices.put("ada", [axis(0, d), near(0.9, 0, 1, d)], metadata={"k": 1})
    body = voices.add("ada", [near(0.8, 0, 2, d)]).json()
    assert [c["clip"] for c in body["clip_details"]] == [0, 1, 2] and body["metadata"] == {"k": 1}
    body = voices.delete_clip("ada", 1).json()
    assert [c["clip"] for c in body["clip_details"]] == [0, 2]
    expected = axis(0, d) + near(0.8, 0, 2, d)
    expected /= (expected @ expected) ** 0.5
    assert voices.verify("ada", expected).json()["score"] == pytest.approx(1, abs=1e-5)
    assert [c["clip"] for c in voices.add("ada", [axis(0, d)], metadata={"k": 2}).json()["clip_details"]] == [0, 2, 3]
    assert voices.get("ada").json()["metadata"] == {"k": 2}
    refused(voices.delete_clip("ada", 1), 404, "not-found")
    refused(voices.delete_clip("ada", "x"), 400, "bad-request", "clip")
    voices.delete_clip("ada", 0), voices.delete_clip("ada", 2)
    refused(voices.delete_clip("ada", 3), 409, "voice-unusable")
    assert voices.get("ada").json()["clips"] == 1


def test_another_voice_among_the_clips_is_named(voices: Voices) -> None:
    d = voices.dim
    answer = voices.put("ada", [axis(0, d), near(0.95, 0, 2, d), axis(1, d), near(0.9, 0, 3, d)])
    refused(answer, 422, "clips-disagree")
    assert answer.json()["clip"] == 2
    refused(voices.get("ada"), 404, "not-found")
    assert voices.put("ada", [axis(0, d), axis(1, d)]).json()["clip"] == 1, "of two the later"
    voices.put("ada", [axis(0, d)])
    answer = voices.add("ada", [near(0.9, 0, 2, d), axis(1, d)])
    refused(answer, 422, "clips-disagree")
    assert answer.json()["clip"] == 1 and voices.get("ada").json()["clips"] == 1
    # below the threshold, but not so much that it cannot be the same person
    assert voices.add("ada", [near(0.55, 0, 2, d)]).status_code == 200


def test_a_second_id_for_one_person_is_warned_of(voices: Voices) -> None:
    d = voices.dim
    voices.put("ada", [axis(0, d)])
    body = voices.put("lovelace", [near(0.7, 0, 1, d)]).json()
    assert body["similar_voice"] == "ada" and "similar_voice" in body["warnings"]
    assert voices.put("lovelace", [near(0.7, 0, 1, d)], query="?collection=other").json()["similar_voice"] is None
    assert voices.put("ada", [axis(2, d)]).json()["similar_voice"] is None


def test_verify_is_compare_with_the_known_side(voices: Voices) -> None:
    d = voices.dim
    voices.put("ada", [axis(0, d), near(0.9, 0, 1, d)])
    body = voices.verify("ada", axis(1, d)).json()
    assert body["same_speaker"] is False and body["voice"]["clips"] == 2 and body["side"]["audio"] is None
    mean = axis(0, d) + near(0.9, 0, 1, d)
    assert body["score"] == pytest.approx(mean[1] / (mean @ mean) ** 0.5, abs=1e-5)
    assert voices.verify("ada", axis(1, d), "?threshold=-1").json()["same_speaker"] is True
    clip = voice(1, 4)
    voices.send("grace", [clip])
    files = [("file", clip), ("file", voice(1, 3))]
    body = voices.call("POST", "/voices/grace/verify", "/voices/{id}/verify", files=files[:1]).json()
    assert body["score"] == pytest.approx(1, abs=1e-5) and body["side"]["audio"]["container"] == "wav"
    assert voices.call("POST", "/voices/grace/verify", "/voices/{id}/verify", files=files).json()["side"]["clips"] == 2
    refused(voices.verify("nobody", axis(0, d)), 404, "not-found")
    refused(voices.call("POST", "/voices/grace/verify", "/voices/{id}/verify", data=b"no sound"), 415, "unsupported-audio")


def test_tags_keep_two_writers_apart(voices: Voices) -> None:
    d = voices.dim
    a = [axis(0, d)]
    tag = voices.put("ada", a, headers={"If-None-Match": "*"}).headers["ETag"]
    refused(voices.put("ada", a, headers={"If-None-Match": "*"}), 412, "precondition-failed")
    refused(voices.put("grace", a, headers={"If-Match": "*"}), 412, "precondition-failed")
    newer = voices.add("ada", a, headers={"If-Match": f'"0000000000000000", {tag}'}).headers["ETag"]
    for call in (voices.put, voices.add):
        refused(call("ada", a, headers={"If-Match": tag}), 412, "precondition-failed")
    refused(voices.delete("ada", headers={"If-Match": tag}), 412, "precondition-failed")
    refused(voices.put("ada", a, headers={"If-Match": "x" * 300}), 400, "bad-request", "If-Match")
    assert voices.delete("ada", headers={"If-Match": newer}).status_code == 204


def test_of_writers_at_once_one_wins(voices: Voices) -> None:
    a = [axis(0, voices.dim)]
    for _ in range(3):
        tag = voices.put("ada", a).headers["ETag"]
        statuses: list[int] = []
        writers = [threading.Thread(target=lambda: statuses.append(voices.add("ada", a, headers={"If-Match": tag}).status_code))
                   for _ in range(6)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert sorted(statuses) == [200, 412, 412, 412, 412, 412]
        assert voices.get("ada").json()["clips"] == 2


def test_pages_in_the_order_of_ids(voices: Voices) -> None:
    names = sorted(f"v{i * 37 % 101}" for i in range(25))
    for i, name in enumerate(names):
        voices.put(name, [axis(i % voices.dim, voices.dim)])
    seen, after = [], ""
    while True:
        body = voices.list(f"?limit=10{after}").json()
        seen += [v["id"] for v in body["voices"]]
        assert body["next"] in (None, seen[-1])
        if body["next"] is None:
            break
        after = "&after=" + body["next"]
    assert seen == names
    assert [v["id"] for v in voices.list("?after=v9").json()["voices"]] == [n for n in names if n > "v9"]


def test_collections_do_not_see_each_other(voices: Voices) -> None:
    d = voices.dim
    voices.put("ada", [axis(0, d)], query="?collection=other")
    refused(voices.get("ada"), 404, "not-found")
    assert voices.list().json()["voices"] == [] and voices.identify(axis(0, d)).json()["identity"] is None
    refused(voices.verify("ada", axis(0, d)), 404, "not-found")
    refused(voices.delete("ada"), 404, "not-found")
    assert voices.put("ada", [axis(1, d)]).status_code == 201
    assert voices.identify(axis(0, d), "?collection=other").json()["identity"] == "ada"
    voices.clear("?confirm=default")
    assert voices.get("ada", "?collection=other").status_code == 200


def test_deleted_is_gone(voices: Voices) -> None:
    d = voices.dim
    voices.put("ada", [axis(0, d)])
    assert voices.delete("ada").status_code == 204
    for answer in (voices.get("ada"), voices.delete("ada"), voices.verify("ada", axis(0, d)), voices.add("ada", [axis(0, d)])):
        refused(answer, 404, "not-found")
    assert voices.identify(axis(0, d)).json()["voices"] == 0
    for i in range(3):
        voices.put(f"v{i}", [axis(i, d)])
    refused(voices.clear(""), 400, "bad-request", "confirm")
    refused(voices.clear("?confirm=other"), 400, "bad-request", "confirm")
    assert voices.clear("?confirm=default").json()["deleted"] == 3
    assert voices.list().json()["voices"] == []


@pytest.mark.parametrize("name", [".hidden", "a%20b", "a" * 129, "..", "%C3%A9", "a:b"])
def test_ids_are_plain(voices: Voices, name: str) -> None:
    raw = voices.service.raw()
    raw.sendall(f"DELETE /voices/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head = raw.recv(65536).decode()
    assert " 400 " in head.splitlines()[0], head


def test_paths_and_methods(voices: Voices) -> None:
    url = voices.service.url
    for method, path, allow in (("POST", "/voices/a", "GET, HEAD, PUT, DELETE"), ("PUT", "/voices", "GET, HEAD, DELETE"),
                                ("GET", "/voices/a/clips", "POST"), ("GET", "/identify", "POST"), ("GET", "/voices/a/clips/0", "DELETE")):
        answer = requests.request(method, url + path, timeout=30)
        refused(answer, 405, "method-not-allowed")
        assert answer.headers["Allow"] == allow
    for path in ("/voices/", "/voices/a/", "/voices/a/b", "/voices//clips", "/voices/a/clips/", "/voices/a/clips/0/x"):
        assert requests.get(url + path, timeout=30).status_code == 404, path


@pytest.mark.parametrize("body, field", [
    ({}, "embeddings"), ({"embeddings": []}, "embeddings"), ({"embeddings": [[1, 2]]}, "embeddings.embedding"),
    ({"embeddings": "x"}, "embeddings"), ({"embeddings": [{}]}, "embeddings.embedding"), ({"x": 1}, "x"),
    ({"embeddings": ["ok"], "speech_s": -1}, "speech_s"), ({"embeddings": ["ok"], "speech_s": "2"}, "speech_s"),
    ({"embeddings": ["ok"], "metadata": [1]}, "metadata"), ({"embeddings": ["ok"], "metadata": {"a": "x" * 2048}}, "metadata"),
    ({"embeddings": ["zero"]}, "embeddings.embedding")])
def test_what_is_wrong_is_named(voices: Voices, body: dict, field: str) -> None:
    known = {"ok": axis(0, voices.dim).tolist(), "zero": [0] * voices.dim}
    if isinstance(body.get("embeddings"), list):
        body = {**body, "embeddings": [known.get(e, e) if isinstance(e, str) else e for e in body["embeddings"]]}
    answer = voices.call("PUT", "/voices/ada", "/voices/{id}", json=body)
    refused(answer, 400, "bad-request", field)


def test_forms_and_options(voices: Voices) -> None:
    clip = voice(1, 4)
    refused(voices.call("PUT", "/voices/ada", "/voices/{id}", files=[("metadata", (None, "{}"))]), 400, "bad-request", "file")
    refused(voices.call("PUT", "/voices/ada", "/voices/{id}", files=[("file", clip), ("other", clip)]), 400, "bad-request", "other")
    refused(voices.send("ada", [clip], metadata="[]"), 400, "bad-request", "metadata")
    refused(voices.send("ada", [clip] * 9), 400, "bad-request")
    refused(voices.call("PUT", "/voices/ada", "/voices/{id}", files=[("file", clip), ("collection", (None, "other"))]),
            400, "bad-request", "collection")
    assert voices.call("PUT", "/voices/ada", "/voices/{id}", files=[("file", clip), ("speech_only", (None, "false"))]).status_code == 201
    answer = voices.send("ada", [clip, b"no sound"])
    refused(answer, 415, "unsupported-audio")
    assert answer.json()["clip"] == 1
    for query in ("?collection=", "?collection=.a", "?collection=a/b", "?limit=0", "?limit=1001", "?after=a%2Fb", "?top=1"):
        refused(voices.list(query), 400, "bad-request", query[1:].split("=")[0])


def test_room_is_limited(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db", voices_max=2, max_clips=64) as service:
        few = Voices(service)
        a = axis(0, few.dim)
        few.put("a", [a]), few.put("b", [a], query="?collection=other")
        refused(few.put("c", [a]), 409, "voices-full")
        assert few.put("a", [a] * 64).status_code == 200
        refused(few.add("a", [a]), 409, "voices-full")
        few.delete("b", "?collection=other")
        assert few.put("c", [a]).status_code == 201


def test_log_and_metrics_tell_no_names(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db") as service:
        known = Voices(service)
        a = axis(0, known.dim)
        known.put("ada-of-the-test", [a], query="?collection=secret-club", metadata={"note": "private-note"})
        known.identify(a, "?collection=secret-club"), known.identify(-a, "?collection=secret-club")
        metrics = service.get("/metrics").text
        assert "voiceprintd_voices 1\n" in metrics
        for result in ("known", "unknown"):
            assert f'voiceprintd_identify_total{{result="{result}"}} 1\n' in metrics
        assert 'voiceprintd_stage_duration_seconds_count{stage="store"} 1\n' in metrics
        assert 'route="voice_enrol",method="PUT",code="201"' in metrics
        known.delete("ada-of-the-test", "?collection=secret-club")
        log = service.log()
        for secret in ("ada-of-the-test", "secret-club", "private-note", "v.db"):
            assert secret not in log and secret not in metrics
        lines = [json.loads(line) for line in log.splitlines() if '"voice-' in line]
        assert [line["msg"] for line in lines] == ["voice-enrolled", "voice-identified", "voice-unknown", "voice-deleted"]
        hashes = {line["voice_hash"] for line in lines if line["msg"] != "voice-unknown"}
        assert len(hashes) == 1 and re.fullmatch("[0-9a-f]{16}", hashes.pop())
        assert len({line["collection_hash"] for line in lines}) == 1
