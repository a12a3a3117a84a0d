"""POST /embed: raw and multipart, options, and every field of the answer."""

from __future__ import annotations

import base64
import json
import math
import subprocess

import numpy as np
import pytest
import requests
from service import Service, problem, speech, voice, wav

WARNINGS = {"short_clip", "low_speech", "low_level", "clipping", "narrowband_source", "channels_differ",
            "truncated", "content_type_guessed", "dc_offset", "length_mismatch", "damaged", "no_speech"}


def embedding_of(service: Service, audio: bytes, query: str = "") -> np.ndarray:
    response = service.embed(audio, query)
    assert response.status_code == 200, response.text
    return np.array(response.json()["embedding"], dtype=np.float32)


def test_every_field(service: Service) -> None:
    response = service.embed(wav(speech(3.21, rate=44100)[:, None].repeat(2, 1), 44100, 2))
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    answer = response.json()
    assert answer["dim"] == len(answer["embedding"])
    assert answer["normalized"] is True
    assert math.isclose(np.linalg.norm(answer["embedding"]), 1, abs_tol=1e-5)
    assert answer["norm"] > 0 and answer["model"] and answer["model_digest"].startswith("sha256:")
    audio = answer["audio"]
    assert (audio["container"], audio["codec"], audio["sample_rate"], audio["channels"]) == ("wav", "pcm_16", 44100, 2)
    assert audio["duration_s"] == pytest.approx(3.21, abs=0.01) == audio["used_s"]
    assert audio["frames"] == pytest.approx(319, abs=1)
    quality = answer["quality"]
    assert 0 < quality["speech_s"] <= 3.21 and quality["rms_dbfs"] < quality["peak_dbfs"] <= 0
    assert 0 <= quality["clipped_ratio"] <= 1 and set(quality["warnings"]) <= WARNINGS
    assert set(answer["timing_ms"]) == {"queue", "decode", "features", "inference", "total"}
    assert answer["timing_ms"]["total"] >= answer["timing_ms"]["inference"] > 0
    assert answer["request_id"] == response.headers["X-Request-Id"]


def test_headers(service: Service) -> None:
    headers = service.embed(voice()).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers
    for stage in ("queue", "decode", "features", "inference", "total"):
        assert f"{stage};dur=" in headers["Server-Timing"]


def test_raw_multipart_and_chunked_agree(service: Service) -> None:
    audio = voice(1)
    raw = embedding_of(service, audio)
    part = service.post("/embed", files={"file": ("x.wav", audio, "audio/wav")}).json()
    chunked = service.post("/embed", data=iter([audio[:1000], audio[1000:1001], audio[1001:]])).json()
    assert np.array_equal(raw, np.array(part["embedding"], dtype=np.float32))
    assert np.array_equal(raw, np.array(chunked["embedding"], dtype=np.float32))


def test_different_voices_differ(service: Service) -> None:
    assert not np.allclose(embedding_of(service, voice(1)), embedding_of(service, voice(2)), atol=1e-4)


def test_normalize_false(service: Service) -> None:
    audio = voice(3)
    response = service.embed(audio, "?normalize=false").json()
    raw = np.array(response["embedding"])
    assert response["normalized"] is False
    for spelling, is_unit in (("False", False), ("0", False), ("True", True), ("1", True)):
        assert service.embed(audio, "?normalize=" + spelling).json()["normalized"] is is_unit
    assert np.linalg.norm(raw) == pytest.approx(response["norm"], rel=1e-5)
    assert np.allclose(raw / np.linalg.norm(raw), embedding_of(service, audio), atol=1e-6)


def test_base64_is_the_same_numbers_exactly(service: Service) -> None:
    audio = voice(4)
    text = service.embed(audio, "?encoding=base64").json()["embedding"]
    packed = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4")
    assert np.array_equal(packed, embedding_of(service, audio, "?encoding=float"))


def test_numbers_round_trip_float32(service: Service) -> None:
    text = service.embed(voice(5)).text
    numbers = json.loads(text, parse_float=str)["embedding"]
    again = [f"{float(np.float32(float(n))):.9g}" for n in numbers]
    assert [float(a) for a in again] == [float(n) for n in numbers]


@pytest.mark.parametrize("content_type,guessed", [
    ("audio/wav", False), ("audio/x-whatever", False), ("application/octet-stream", False), (None, False),
    ("application/x-www-form-urlencoded", True), ("text/plain", True), ("video/mp4", True)])
def test_content_types(service: Service, content_type: str | None, guessed: bool) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = service.post("/embed", data=voice(), headers=headers)
    assert response.status_code == 200, response.text
    assert ("content_type_guessed" in response.json()["quality"]["warnings"]) is guessed


def test_curl_without_a_type(service: Service, tmp_path) -> None:
    clip = tmp_path / "a.wav"
    clip.write_bytes(voice())
    for arguments in (["--data-binary", f"@{clip}"], ["-F", f"file=@{clip}"], ["-T", str(clip), "-X", "POST"]):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", *arguments, service.url + "/embed"],
                              capture_output=True, check=True, timeout=90)
        assert len(json.loads(done.stdout)["embedding"]) == json.loads(done.stdout)["dim"]


def test_curl_data_is_told_the_remedy(service: Service, tmp_path) -> None:
    """--data takes line ends and zeros out of a file."""
    clip = tmp_path / "a.wav"
    for audio in (voice(), voice(3, seconds=4)):
        clip.write_bytes(audio)
        for path in ("/embed", "/diarize"):
            done = subprocess.run(["curl", "-sS", "--max-time", "60", "--data", f"@{clip}", service.url + path],
                                  capture_output=True, check=True, timeout=90)
            answer = json.loads(done.stdout)
            assert (answer["status"], answer["field"]) == (400, "content-type")
            assert "--data-binary @FILE" in answer["detail"] and "-F file=@FILE" in answer["detail"]


def form(service: Service, path: str, *fields: tuple[str, str], audio: bytes | None = None) -> requests.Response:
    """A recording with option fields beside it, before and behind."""
    half = len(fields) // 2
    parts = [(name, (None, value)) for name, value in fields]
    return service.post(path, files=[*parts[:half], ("file", ("a.wav", audio or voice())), *parts[half:]])


def test_options_beside_the_file(service: Service) -> None:
    answer = form(service, "/embed", ("normalize", "False"), ("encoding", "base64")).json()
    asked = service.embed(voice(), "?normalize=false&encoding=base64").json()
    assert (answer["normalized"], answer["embedding"], answer["norm"]) == (False, asked["embedding"], asked["norm"])
    # one in the query, one in the form
    answer = service.post("/embed?normalize=0", files=[("file", ("a.wav", voice())), ("encoding", (None, "base64"))]).json()
    assert (answer["normalized"], answer["embedding"]) == (False, asked["embedding"])
    one, other = ("a", ("a.wav", voice(1))), ("b", ("b.wav", voice(2)))
    answer = service.post("/compare", files=[one, ("threshold", (None, "-1")), other]).json()
    assert (answer["threshold"], answer["same_speaker"]) == (-1, True)
    rttm = form(service, "/diarize", ("format", "rttm"), ("uri", "talk"), ("num_speakers", "1"), audio=voice(seconds=4))
    assert rttm.headers["Content-Type"].startswith("text/plain")
    assert rttm.text == service.post("/diarize?format=rttm&uri=talk&num_speakers=1", data=voice(seconds=4)).text


@pytest.mark.parametrize("path,fields,field", [
    ("/embed", [("normalize", "perhaps")], "normalize"), ("/embed", [("threshold", "0.5")], "threshold"),
    ("/embed", [("normalize", "true"), ("normalize", "true")], "normalize"), ("/embed?encoding=float", [("encoding", "float")], "encoding"),
    ("/embed", [("encoding", "base64" + "x" * 100)], "encoding"), ("/embed", [("encoding", "base64\0")], "encoding"),
    ("/diarize", [("num_speakers", "2"), ("min_speakers", "2")], "num_speakers"), ("/diarize?min_speakers=3", [("max_speakers", "2")], "min_speakers"),
    ("/diarize", [("engine", "segmentation")], "engine")])
def test_options_beside_the_file_are_judged_alike(service: Service, path: str, fields: list[tuple[str, str]], field: str) -> None:
    answer = form(service, path, *fields)
    assert (answer.status_code, problem(answer), answer.json()["field"]) == (400, "bad-request", field)


def test_lines_of_progress_and_another_format_in_the_form(service: Service) -> None:
    answer = service.post("/diarize", files=[("file", ("a.wav", voice())), ("format", (None, "rttm"))], headers={"Accept": "application/x-ndjson"})
    assert (answer.status_code, answer.json()["field"]) == (400, "format")


def test_v1_alias(service: Service) -> None:
    assert service.post("/v1/embed", data=voice()).status_code == 200


@pytest.mark.parametrize("query,field", [
    ("?nope=1", "nope"), ("?normalize=yes", "normalize"), ("?encoding=hex", "encoding"), ("?threshold=0.5", "threshold"),
    ("?normalize=true&normalize=true", "normalize"), ("?=", ""), ("?" + "a" * 3000, "query")])
def test_unknown_options(service: Service, query: str, field: str) -> None:
    response = service.embed(voice(), query)
    assert (response.status_code, problem(response)) == (400, "bad-request")
    assert response.json().get("field", "") == field


def test_empty_body(service: Service) -> None:
    for response in (service.post("/embed"), service.post("/embed", data=iter([])),
                     service.post("/embed", files={"file": ("x.wav", b"")})):
        assert (response.status_code, problem(response)) == (400, "empty-body")


def test_text_is_not_audio(service: Service) -> None:
    response = service.embed(b"This is not audio at all, it is text. " * 10)
    assert (response.status_code, problem(response)) == (415, "unsupported-audio")
    assert "wav" in response.json()["supported"] and "detected" in response.json()


def test_too_short_and_too_long(service: Service) -> None:
    response = service.embed(wav(speech(0.3)))
    assert (response.status_code, problem(response)) == (422, "audio-too-short")
    assert response.json()["duration_s"] == pytest.approx(0.3) and response.json()["limit_s"] == 0.5
    response = service.embed(wav(speech(61)))
    assert (response.status_code, problem(response)) == (422, "audio-too-long")
    assert response.json()["limit_s"] == 60


def test_silence(service: Service) -> None:
    response = service.embed(wav(np.zeros(32000)))
    assert (response.status_code, problem(response)) == (422, "no-signal")
    assert response.json()["rms_dbfs"] <= -60


@pytest.mark.parametrize("parts,field", [
    ([("other", ("x.wav", b"abc"))], "other"), ([("file", ("x.wav", b"abc")), ("file", ("y.wav", b"abc"))], "file"),
    ([("file", ("x.wav", b"abc"))] * 3, "file"), ([("file", ("x.wav", b"abc"))] * 16, "body")])
def test_wrong_parts(service: Service, parts: list, field: str) -> None:
    response = service.post("/embed", files=parts)
    assert (response.status_code, problem(response)) == (400, "bad-request")
    assert response.json()["field"] == field


def test_too_large(service: Service) -> None:
    response = service.post("/embed", data=bytes(17 << 20))
    assert (response.status_code, problem(response)) == (413, "body-too-large")
    assert response.json()["max_bytes"] == 16 << 20
    response = service.post("/embed", data=iter([bytes(1 << 20)] * 17))
    assert (response.status_code, problem(response)) == (413, "body-too-large")
