"""POST /diarize with a transcript: every form comes back as it was, with speakers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from contract import judge
from conversation import CALL, NDJSON, wait_under_way
from service import Service, problem

SEGMENTS = [(0.5, 3.5, "Good day."), (5.0, 8.0, "Hello."), (20.0, 21.0, "Bye.")]  # the last in nobody's turn


@pytest.fixture(scope="module")
def calls() -> Iterator[Service]:
    with Service(workers=2, queue_size=8) as running:
        yield running


def stamp(seconds: float, point: str) -> str:
    return f"00:00:{int(seconds):02d}{point}{round(1000 * seconds) % 1000:03d}"


WHISPER = json.dumps({"text": " Good day. Hello. Bye.", "language": "en", "segments": [
    {"id": i, "start": a, "end": b, "text": " " + text} for i, (a, b, text) in enumerate(SEGMENTS)]})
CPP = json.dumps({"transcription": [{"offsets": {"from": int(1000 * a), "to": int(1000 * b)}, "text": " " + text}
                                    for a, b, text in SEGMENTS]})
VTT = "WEBVTT\n\n" + "\n\n".join(f"{stamp(a, '.')} --> {stamp(b, '.')}\n{text}" for a, b, text in SEGMENTS) + "\n"
SRT = "\n\n".join(f"{i}\n{stamp(a, ',')} --> {stamp(b, ',')}\n{text}" for i, (a, b, text) in enumerate(SEGMENTS, 1)) + "\n"
CTM = "".join(f"call 1 {a} {b - a} {text}\n" for a, b, text in SEGMENTS if " " not in text)
FORMS = {"whisper": (WHISPER, "application/json"), "whisper.cpp": (CPP, "application/json"), "webvtt": (VTT, "text/vtt"),
         "srt": (SRT, "application/x-subrip"), "ctm": (CTM, "text/plain")}


def send(service: Service, transcript: str | bytes, query: str = "", **kwargs: Any) -> requests.Response:
    files = {"file": ("call.wav", CALL), "transcript": ("call.txt", transcript)}
    return service.post("/diarize" + query, files=files, **kwargs)


def speaker_at(answer: dict[str, Any], start: float, end: float) -> str | None:
    """Who speaks most of it, worked out from the turns of the same answer; None beyond half a second."""
    most: dict[str, float] = {}
    near: dict[str, float] = {}
    for turn in answer["segments"]:
        overlap = min(end, turn["end"]) - max(start, turn["start"])
        most[turn["speaker"]] = most.get(turn["speaker"], 0) + max(overlap, 0)
        near[turn["speaker"]] = min(near.get(turn["speaker"], 1e9), max(-overlap, 0))
    if max(most.values()) > 0:
        return max(sorted(most), key=lambda name: most[name])
    name = min(sorted(near), key=lambda name: near[name])
    return name if near[name] <= 0.5 else None


@pytest.mark.parametrize("form", FORMS)
def test_comes_back_with_speakers(calls: Service, form: str) -> None:
    given, media = FORMS[form]
    response = send(calls, given, "?num_speakers=2")
    judge(response, "/diarize", "POST")
    answer = response.json()
    assert answer["transcript"]["form"] == form
    expected = [speaker_at(answer, a, b) for a, b, _ in SEGMENTS]
    assert expected[0] is not None and expected[1] is not None and expected[2] is None
    alone = send(calls, given, "?num_speakers=2&format=transcript")
    judge(alone, "/diarize", "POST")
    assert alone.headers["Content-Type"].split(";")[0] == media
    assert alone.text == answer["transcript"]["content"]
    found = {
        "whisper": lambda: [item["speaker"] for item in json.loads(alone.text)["segments"]],
        "whisper.cpp": lambda: [item["speaker"] for item in json.loads(alone.text)["transcription"]],
        "webvtt": lambda: [line[3:13] if line.startswith("<v ") else None
                           for line in alone.text.splitlines() if line.endswith((".", ".</v>"))],
        "srt": lambda: [line[:10] if line.startswith("SPEAKER_") else None
                        for line in alone.text.splitlines() if line.endswith(".")],
        "ctm": lambda: [None if line.split()[7] == "null" else line.split()[7] for line in alone.text.splitlines()],
    }[form]()
    assert found == (expected[1:] if form == "ctm" else expected)
    text = send(calls, given, "?num_speakers=2&format=text")
    judge(text, "/diarize", "POST")
    assert text.text == answer["transcript"]["text"]
    lines: list[str] = []  # the words of one speaker share a line
    for who, (_, _, said) in zip(expected, SEGMENTS):
        if form != "ctm" or " " not in said:
            label = f"{who or 'UNKNOWN'}: "
            lines = [*lines[:-1], f"{lines[-1]} {said}"] if lines and lines[-1].startswith(label) else [*lines, label + said]
    assert text.text.splitlines() == lines


def test_nothing_else_changes(calls: Service) -> None:
    with_words = send(calls, SRT).json()
    without = calls.post("/diarize", files={"file": CALL}).json()
    assert "transcript" not in without
    assert with_words["segments"] == without["segments"] and with_words["speakers"] == without["speakers"]
    assert set(with_words) - set(without) == {"transcript"}


def test_the_last_line_of_progress_has_it(calls: Service) -> None:
    lines = [json.loads(line) for line in send(calls, VTT, headers=NDJSON).text.splitlines()]
    assert lines[-1]["transcript"]["form"] == "webvtt"
    assert problem(send(calls, VTT, "?format=text", headers=NDJSON)) == "bad-request"


@pytest.mark.parametrize(("transcript", "said"), [
    (b"\xff\xfe1", "UTF-16"), (b"hello", "line 1: 1 fields"), (b"WEBVTT\n\n1:00 --> 2:00\nx", "line 3"),
    (b'{"segments": [{"start": 1, "end": 0, "text": ""}]}', "segments[0] lasts"), (b"{" * 5000, "not JSON"),
    (b"[" * 600000, "more than 500000 values")], ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_wrong_is_named(calls: Service, transcript: bytes, said: str) -> None:
    response = send(calls, transcript)
    assert (response.status_code, problem(response)) == (400, "bad-request")
    judge(response, "/diarize", "POST")
    assert response.json()["field"] == "transcript" and said in response.json()["detail"]
    wait_under_way(calls, 0)
    assert calls.metric("voiceprintd_upload_bytes_buffered") == 0


def test_limits_and_parts(calls: Service) -> None:
    response = send(calls, b"\n" * ((8 << 20) + 1))
    assert (response.status_code, problem(response)) == (413, "body-too-large") and response.json()["max_bytes"] == 8 << 20
    assert problem(send(calls, b"")) == "empty-body"
    for form in ("transcript", "text"):
        response = calls.post(f"/diarize?format={form}", files={"file": CALL})
        assert problem(response) == "bad-request" and response.json()["field"] == "transcript"
    twice = [("file", CALL), ("transcript", SRT), ("transcript", SRT)]
    response = calls.post("/diarize", files=twice)
    assert problem(response) == "bad-request" and response.json()["field"] == "transcript"
    response = calls.post("/diarize", files={"transcript": SRT})
    assert problem(response) == "bad-request" and response.json()["field"] == "file"
    response = calls.post("/embed", files={"file": CALL, "transcript": SRT})
    assert problem(response) == "bad-request" and response.json()["field"] == "transcript"
    assert problem(calls.post("/diarize", files={"file": b"noise", "transcript": SRT})) == "unsupported-audio"
