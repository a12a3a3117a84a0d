"""The contract row by row: what each endpoint, header, remark, key of the configuration and metric promises
and the other files do not ask for."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import requests
from service import BUILD, LARGE, ROOT, SLOWNESS, SMALL, Service, busy_clip, problem, read_answer, send_embed, speech, voice, wav

KEY = "a-key-of-these-tests-0815"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory):
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY + "\n")
    with Service(api_keys_file=keys) as running:
        yield running


# ---- endpoints ---------------------------------------------------------------------------------


def test_every_path_answers_under_v1(service: Service) -> None:
    for path in ("/info", "/livez", "/readyz", "/healthz", "/metrics", "/openapi.yaml", "/docs", "/"):
        plain, alias = service.get(path), service.get("/v1" + path)
        assert plain.status_code == alias.status_code == 200, path
        assert plain.headers["Content-Type"] == alias.headers["Content-Type"]
    embedding = service.post("/v1/embed", data=voice(1)).json()["embedding"]
    assert embedding == service.embed(voice(1)).json()["embedding"]
    files = {"a": voice(1), "b": voice(2)}
    assert service.post("/v1/compare", files=files).json()["score"] == service.post("/compare", files=files).json()["score"]
    assert service.metric("voiceprintd_http_requests_total", route="compare", code="200") >= 2, "an alias is the same route"


@pytest.mark.parametrize("method,path,needs_key", [
    ("POST", "/embed", True), ("POST", "/compare", True), ("POST", "/diarize", True), ("GET", "/info", True), ("POST", "/v1/embed", True),
    ("GET", "/v1/info", True), ("GET", "/livez", False), ("GET", "/readyz", False), ("GET", "/healthz", False), ("GET", "/metrics", False),
    ("GET", "/openapi.yaml", False), ("GET", "/docs", False), ("GET", "/", False)])
def test_which_endpoints_need_a_key(locked: Service, method: str, path: str, needs_key: bool) -> None:
    def status(**headers: str) -> int:
        return requests.request(method, locked.url + path, data=b"x" if method == "POST" else None, headers=headers, timeout=30 * SLOWNESS).status_code
    assert (status() == 401) is needs_key and (status(Authorization="Bearer wrong") == 401) is needs_key
    assert status(Authorization="Bearer " + KEY) != 401


def test_a_key_is_asked_for_before_the_body(locked: Service) -> None:
    with locked.raw() as connection:
        connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\nExpect: 100-continue\r\n\r\n")
        status, headers, _ = read_answer(connection)
        assert (status, headers["www-authenticate"], headers["connection"]) == (401, "Bearer", "close")


def test_a_drain_is_told_before_the_body() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=1) as service:
        kept, running = service.raw(), send_embed(service, busy_clip())
        kept.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(kept)[0] == 200
        service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 1, 10 * SLOWNESS, "a job")
        service.send_signal(signal.SIGINT)
        service.wait_for(lambda: bool(service.log_lines("drain-closed")), 5 * SLOWNESS, "the close")
        kept.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\nExpect: 100-continue\r\n\r\n")
        status, headers, body = read_answer(kept)
        assert (status, headers["connection"]) == (503, "close") and b"problem:draining" in body
        assert read_answer(running, 60)[0] == 200
        assert service.wait_end() == 0


# ---- headers -----------------------------------------------------------------------------------


def test_every_answer_has_its_headers(locked: Service) -> None:
    key = {"Authorization": "Bearer " + KEY}
    ask = lambda path, **more: locked.post(path, headers={**key, **more.pop("headers", {})}, **more)  # noqa: E731
    answers = [(200, locked.get("/livez")), (200, locked.get("/metrics")), (200, locked.get("/info", headers=key)), (200, ask("/embed", data=voice())),
               (400, ask("/embed?x=1", data=voice())), (400, ask("/embed")), (401, locked.embed(voice())), (404, locked.get("/nope")),
               (405, locked.get("/embed")), (413, ask("/embed", data=bytes(17 << 20))), (415, ask("/embed", data=b"some text, no sound")),
               (417, ask("/embed", data=voice(), headers={"Expect": "x"})), (422, ask("/embed", data=voice()[:90]))]
    for status, answer in answers:
        assert answer.status_code == status, answer.text
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", answer.headers["X-Request-Id"])
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "total;dur=" in answer.headers["Server-Timing"] and "Server" not in answer.headers
        if status >= 400:
            assert problem(answer) and (answer.headers.get("WWW-Authenticate") == "Bearer") is (status == 401)
            assert (answer.headers.get("Allow") == "POST") is (status == 405) and ("Retry-After" in answer.headers) is (status == 503)


def test_retry_after_follows_queue_and_pace() -> None:
    """ceil(depth x mean service time / workers): two workers, a queue of twenty, and jobs of known length."""
    with Service(model=LARGE, max_duration_s=200, workers=2, queue_size=20, queue_timeout_ms=600_000, request_timeout_s=600) as service:
        clip = busy_clip(60)
        alone = max(json.loads(read_answer(send_embed(service, clip), 120)[2])["timing_ms"]["total"] for _ in range(3)) / 1000
        held = [send_embed(service, clip) for _ in range(22)]
        service.wait_for(lambda: service.metric("voiceprintd_queue_depth") == 20, 20 * SLOWNESS, "a full queue")
        response = service.embed(clip)
        assert problem(response) == "overloaded" and response.json()["queue_depth"] >= 18
        wait_s = int(response.headers["Retry-After"])
        # Two at once share caches and cores: the pace is known within a factor.
        assert min(30, 0.3 * 21 * alone / 2) - 1 <= wait_s <= min(30, 4 * 21 * alone / 2) + 1, (wait_s, alone)
        for connection in held:
            connection.close()


# ---- remarks -----------------------------------------------------------------------------------


def remarks(service: Service, clip: bytes, kind: str = "audio/wav") -> set[str]:
    response = service.post("/embed", data=clip, headers={"Content-Type": kind})
    assert response.status_code == 200, response.text
    return set(response.json()["quality"]["warnings"])


def test_every_remark_is_made_when_it_is_due() -> None:
    good = speech(4.0, seed=1)
    stereo = np.stack([good, -good], 1)
    mostly_silent = np.concatenate([good[:8000], 0.0005 * np.random.default_rng(0).standard_normal(56000).astype(np.float32)])
    with Service(max_duration_s=5, long_audio="truncate", warn_duration_s=3.5) as service:
        assert remarks(service, wav(good)) == set()
        due = {"short_clip": remarks(service, wav(good[:54000])), "low_speech": remarks(service, wav(mostly_silent)),
               "low_level": remarks(service, wav(good * 0.02)), "clipping": remarks(service, wav(np.clip(good * 40, -1, 1))),
               "narrowband_source": remarks(service, wav(speech(4.0, rate=8000, seed=1), 8000)),
               "channels_differ": remarks(service, wav(stereo, 16000, 2)), "truncated": remarks(service, wav(speech(7.0, seed=1))),
               "content_type_guessed": remarks(service, wav(good), "text/plain"), "dc_offset": remarks(service, wav(good * 0.5 + 0.2))}
        for name, made in due.items():
            assert name in made, f"{name}: {made}"
            assert service.metric("voiceprintd_audio_warnings_total", warning=name) >= 1


# ---- configuration -----------------------------------------------------------------------------


def test_limits_of_clips_are_the_configured_ones() -> None:
    with Service(min_duration_s=1.5, warn_duration_s=2.5, max_duration_s=3, silence_dbfs=-30, max_clips=2) as service:
        response = service.embed(voice(1, 1.4))
        assert problem(response) == "audio-too-short" and response.json()["limit_s"] == 1.5
        response = service.embed(voice(1, 3.1))
        assert problem(response) == "audio-too-long" and response.json()["limit_s"] == 3
        assert "short_clip" in remarks(service, voice(1, 2.0)) and "short_clip" not in remarks(service, voice(1, 2.8))
        response = service.embed(wav(speech(2.0, seed=1) * 0.02))
        assert problem(response) == "no-signal" and -60 < response.json()["rms_dbfs"] < -30
        assert service.compare([voice(1)] * 2, [voice(2)]).status_code == 200
        assert problem(service.compare([voice(1)] * 3, [voice(2)])) == "bad-request"
        limits = service.get("/info").json()["limits"]
        assert [limits[key] for key in ("min_duration_s", "warn_duration_s", "max_duration_s", "silence_dbfs", "max_clips")] == [1.5, 2.5, 3, -30, 2]


def test_form_and_level_of_the_log() -> None:
    with Service(log_format="text") as service:
        service.get("/livez", headers={"X-Request-Id": "seen"})
        service.wait_for(lambda: "request_id=seen" in service.log(), 10 * SLOWNESS, "a line of text")
        line = next(line for line in service.log().splitlines() if "request_id=seen" in line)
        assert line.startswith("ts=") and " level=info " in line and " path=/livez " in line and " status=200 " in line and "{" not in line
    for level, requests_shown, events_shown in (("warn", False, False), ("info", True, True), ("debug", True, True)):
        with Service(log_level=level) as service:
            service.get("/livez")
        assert bool(service.log_lines("request")) is requests_shown and bool(service.log_lines("listening")) is events_shown


SAMPLES = {"listen": "127.0.0.1:9", "admin_listen": "127.0.0.1:8", "model": "a/model", "long_audio": "truncate", "log_format": "text",
           "log_level": "error", "metrics": "off", "docs": "off", "speech_only": "off", "api_keys_file": "keys", "cors_origins": "http://a", "allowed_hosts": "a.example", "trusted_proxies": "10.0.0.0/8", "calibration": [2.5, -1],
           "threshold": 0.25, "voices": "sqlite:a.db", "unknown_prior": 0.25, "kernel": "blas", "decoder": "inline", "max_duration_s": 90.5, "silence_dbfs": -42.5, "max_buffered_bytes": 90_000_000}


def printed(*arguments: str, env: dict[str, str]) -> dict:
    done = subprocess.run([BUILD / "voiceprintd", "--print-config", *arguments], env=env, cwd=ROOT, capture_output=True, text=True,
                          timeout=60 * SLOWNESS, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_key_by_flag_environment_and_file(tmp_path: Path) -> None:
    default = printed(env={})
    assert {"listen", "workers", "watchdog_s", "docs"} < set(default)
    for key, value in default.items():
        sample = SAMPLES.get(key)
        if sample is None and isinstance(value, (int, float)):
            sample = value + 1
        if sample is None:  # a file or a word of its own: another file
            sample = "other"
        text = ",".join(map(str, sample)) if isinstance(sample, list) else str(sample)
        flag = "--" + key.replace("_", "-")
        file = tmp_path / "config.json"
        file.write_text(json.dumps({key: sample}))
        ways = {"flag": printed(flag, text, env={}), "flag=": printed(f"{flag}={text}", env={}),
                "environment": printed(env={"VOICEPRINTD_" + key.upper(): text}), "file": printed("--config", str(file), env={})}
        for way, got in ways.items():
            shown = got[key]
            assert shown != value, f"{key} by {way}: {shown}"
            assert shown == ways["flag"][key], f"{key} by {way}"
            others = {k for k in default if got[k] != default[k]} - {key}
            assert others <= ({"queue_size"} if key == "workers" else set()), f"{key} by {way} changes {others}"


# ---- readiness ---------------------------------------------------------------------------------


def test_a_model_that_fails_its_self_test_is_not_ready(tmp_path: Path) -> None:
    """The vector beside the model is another one's: it would answer, wrongly."""
    boxed = ROOT / "models/voiceprint.safetensors"
    data = boxed.read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    vector = json.loads(header["__metadata__"]["self_test"])
    header["__metadata__"]["self_test"] = json.dumps([-x if i % 2 else x for i, x in enumerate(vector)])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    model = tmp_path / "other.safetensors"
    model.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + n:])
    with Service(model=model, wait=False) as service:
        service.wait_for(lambda: bool(service.log_lines("model-refused")), 60 * SLOWNESS, "a refusal")
        response = service.get("/readyz")
        assert problem(response) == "not-ready" and "self-test" in response.json()["detail"]
        assert problem(service.embed(voice())) == "not-ready" and service.get("/livez").status_code == 200
    with Service(model=boxed) as service:
        test = service.get("/info").json()["self_test"]
        assert test["passed"] and test["has_reference"] and test["cosine"] >= 0.9999


# ---- metrics -----------------------------------------------------------------------------------


def test_labels_are_closed_sets(service: Service) -> None:
    """Whatever a client sends, no label takes a value of his."""
    for path in ("/planted", "/embed/planted", "/v1/planted?planted=1"):
        service.get(path)
        requests.request("PLANTED", service.url + path, timeout=10)
    service.post("/embed", data=voice(), headers={"Content-Type": "planted/planted", "X-Request-Id": "planted"})
    text = service.get("/metrics").text
    assert "planted" not in text.lower()
    values = {label: {value for name, value in re.findall(r'([a-z_]+)="([^"]*)"', text) if name == label} for label in ("route", "method", "code", "stage", "reason", "state")}
    assert values["route"] <= {"embed", "compare", "diarize", "info", "livez", "readyz", "healthz", "metrics", "openapi", "docs", "index", "other",
                               "identify", "voices", "voice", "voice_enrol", "voice_add", "voice_verify", "voice_delete", "clip_delete", "voices_delete"}
    assert values["method"] <= {"GET", "POST", "PUT", "DELETE"} and all(re.fullmatch(r"\d{3}|other", code) for code in values["code"])
    assert {"queue", "decode", "features", "inference", "encode"} <= values["stage"]
    assert values["reason"] >= {"overloaded", "overloaded-memory", "queue-timeout", "not-ready", "draining"}
    assert values["state"] == {"loading", "ready", "draining", "stuck"}
    states = {state: service.metric("voiceprintd_state", state=state) for state in values["state"]}
    assert states == {"loading": 0, "ready": 1, "draining": 0, "stuck": 0}
    info = service.get("/info").json()
    assert service.metric("voiceprintd_build_info", version=info["version"], model_digest=info["model_digest"], kernel=info["kernel"]) == 1
    assert service.metric("process_start_time_seconds") > 1e9 and service.metric("process_open_fds") <= len(os.listdir(f"/proc/{service.process.pid}/fd")) + 5
