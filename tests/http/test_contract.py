"""Real answers of every operation and every documented status, judged by openapi.yaml."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import requests
from contract import DOCUMENT, judge
from service import ROOT, LARGE, Service, busy_clip, send_embed, speech, voice, wav, wav_float


def wav_with(rate: int = 16000, channels: int = 1, n_bytes: int = 64000) -> bytes:
    fmt = struct.pack("<HHIIHH", 1, channels, rate, (rate * channels * 2) % 2**32, channels * 2, 16)
    data = (np.random.default_rng(0).integers(-9000, 9000, n_bytes // 2).astype("<i2")).tobytes()
    return b"RIFF" + struct.pack("<I", 36 + n_bytes) + b"WAVEfmt \x10\x00\x00\x00" + fmt + b"data" + struct.pack("<I", n_bytes) + data


def test_every_embed_answer(service: Service) -> None:
    nan = speech(1.0)
    nan[500] = np.nan
    cases = [(200, voice(), ""), (200, voice(), "?encoding=base64&normalize=false"), (400, voice(), "?x=1"), (400, b"", ""),
             (413, bytes(17 << 20), ""), (415, b"text and nothing else", ""), (422, voice()[:60], ""), (422, wav(speech(0.2)), ""),
             (422, wav(speech(70)), ""), (422, wav(np.zeros(32000)), ""), (422, wav_float(nan), ""),
             (422, wav_with(rate=4000), ""), (422, wav_with(rate=2_000_000_000), ""), (422, wav_with(channels=9), ""),
             (422, wav_with(channels=1024), "")]
    for status, body, query in cases:
        response = service.embed(body, query)
        assert response.status_code == status, response.text
        judge(response, "/embed", "POST")
    judge(requests.get(service.url + "/embed", timeout=10), "/embed", "POST")
    judge(service.post("/embed", data=voice(), headers={"Expect": "more"}), "/embed", "POST")


def test_every_compare_answer(service: Service) -> None:
    stored = service.embed(voice()).json()
    for response in (service.compare([voice(1)], [voice(2)]), service.compare([voice(1), voice(3)], [voice(2)], "?threshold=0.1"),
                     service.compare([voice(1)], [b"text"]), service.compare([voice(1)], [voice(1)[:70]]), service.compare([voice(1)], []),
                     service.post("/compare", json={"a": stored, "b": stored}), service.post("/compare", json={"a": stored}),
                     service.post("/compare", data=b"x"), service.get("/compare")):
        judge(response, "/compare", "POST")


def test_every_other_answer(service: Service, tmp_path: Path) -> None:
    for path in ("/info", "/livez", "/readyz", "/healthz", "/metrics", "/openapi.yaml"):
        for response in (service.get(path), service.get(path + "?x=1"), service.post(path)):
            judge(response, path, "GET")
    keys = tmp_path / "keys"
    keys.write_text("a-key-for-this-test\n")
    with Service(api_keys_file=keys, threshold=0.3, calibration="1,0") as locked:
        judge(locked.get("/info"), "/info", "GET")
        judge(locked.embed(voice()), "/embed", "POST")
        headers = {"Authorization": "Bearer a-key-for-this-test"}
        judge(locked.get("/info", headers=headers), "/info", "GET")
        files = {"a": voice(1), "b": voice(2)}
        response = locked.post("/compare", files=files, headers=headers)
        assert response.json()["calibrated"] is not None
        judge(response, "/compare", "POST")


def test_answers_of_a_service_that_cannot(tmp_path: Path) -> None:
    with Service(model=LARGE, max_duration_s=200, wait=False) as loading:
        loading.wait_for(lambda: loading.get("/livez").status_code == 200, 60, "/livez")
        for path in ("/readyz", "/info"):
            judge(loading.get(path), path, "GET")
        judge(loading.embed(voice()), "/embed", "POST")
    with Service(model=LARGE, max_duration_s=200, workers=1, queue_size=1, watchdog_s=0.1, queue_timeout_ms=100) as full:
        clip = busy_clip()  # once: making it takes longer than a small network needs for it
        held = [send_embed(full, clip)]
        full.wait_for(lambda: full.get("/livez").status_code == 503, 10, "stuck")
        judge(full.get("/livez"), "/livez", "GET")
        response = full.embed(voice())
        assert response.status_code == 503 and "queue-timeout" in response.text
        judge(response, "/embed", "POST")
        held += [send_embed(full, clip), send_embed(full, clip)]  # should the first be through: one runs, one waits
        response = full.embed(voice())
        assert response.status_code == 503
        judge(response, "/embed", "POST")
        for connection in held:
            connection.close()


def test_the_judge_can_fail(service: Service) -> None:
    response = service.embed(voice())
    answer = response.json()
    for spoil in ({"norm": 0}, {"extra": 1}, {"model_digest": "md5:1"}, {"embedding": []}, {"dim": "256"}):
        response._content = json.dumps({**answer, **spoil}).encode()
        with pytest.raises(jsonschema.ValidationError):
            judge(response, "/embed", "POST")
    with pytest.raises(AssertionError):
        judge(service.post("/nope"), "/embed", "POST")


def test_problem_names_are_those_of_the_table() -> None:
    """The document and the table in the source name the same problems."""
    table = set(re.findall(r'\{"([a-z-]+)", [45]\d\d,', re.sub(r"\s+", " ", (ROOT / "server/http/problem.c").read_text())))
    stated = set(re.findall(r"urn:voiceprintd:problem:([a-z-]+)\b(?!\[)", (ROOT / "openapi.yaml").read_text()))
    assert table == stated and len(table) >= 22


def test_routes_are_those_of_the_table() -> None:
    table = set(re.findall(r'^ +\{\.path = "(/[a-z./{}]*)",', (ROOT / "server/request/routes.c").read_text(), re.M))
    assert table - {"/", "/docs"} == set(DOCUMENT["paths"]), "pages are for people, not part of the contract"
