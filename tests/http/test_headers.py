"""Ids, traces, CORS, metrics, and what the log must never say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from service import Service, problem, read_answer, speech, voice, wav

HEX = re.compile(r"^[0-9a-f]{32}$")


@pytest.mark.parametrize("given,kept", [("abc-DEF_1.2", True), ("a" * 128, True), ("a" * 129, False), ("with blank", False),
                                        ("semi;colon", False), ("", False), ("ü", False), ("<script>", False)])
def test_request_id(service: Service, given: str, kept: bool) -> None:
    response = service.get("/livez", headers={"X-Request-Id": given.encode("latin-1")})
    got = response.headers["X-Request-Id"]
    assert got == given if kept else HEX.match(got)


def test_request_ids_differ(service: Service) -> None:
    assert len({service.get("/livez").headers["X-Request-Id"] for _ in range(50)}) == 50


def test_trace_id_reaches_the_log(service: Service) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    cases = {f"00-{trace}-00f067aa0ba902b7-01": True, f"01-{trace}-00f067aa0ba902b7-01-more": True, f"ff-{trace}-00f067aa0ba902b7-01": False,
             f"00-{'0' * 32}-00f067aa0ba902b7-01": False, f"00-{trace}-{'0' * 16}-01": False, f"00-{trace.upper()}-00f067aa0ba902b7-01": False,
             f"00-{trace}-00f067aa0ba902b7-01x": False, "00": False}
    for i, (value, valid) in enumerate(cases.items()):
        service.get("/livez", headers={"traceparent": value, "X-Request-Id": f"trace-{i}"})
        assert service.log_line(f"trace-{i}").get("trace_id") == (trace if valid else None), value


def test_access_line(service: Service) -> None:
    service.post("/embed", data=voice(), headers={"X-Request-Id": "line-1"})
    service.post("/embed", data=b"text", headers={"X-Request-Id": "line-2"})
    good, bad = service.log_line("line-1"), service.log_line("line-2")
    assert good["method"] == "POST" and good["path"] == "/embed" and good["status"] == 200 and good["level"] == "info"
    assert good["bytes_in"] == len(voice()) and good["audio_s"] == 2.0 and good["peer"].startswith("127.0.0.1:")
    assert {"ts", "queue_ms", "infer_ms", "total_ms"} <= set(good) and "problem" not in good
    assert bad["status"] == 415 and bad["problem"] == "unsupported-audio"


def test_the_log_holds_no_secrets(tmp_path: Path) -> None:
    keys = tmp_path / "planted-file-of-keys"
    keys.write_text("planted-api-key-4711\n")
    headers = {"Authorization": "Bearer planted-api-key-4711", "Cookie": "planted-cookie", "User-Agent": "planted-agent"}
    with Service(api_keys_file=keys, log_level="debug") as service:
        clip = voice(11)
        answer = service.post("/embed", data=clip, headers=headers).json()
        files = {"a": ("planted-name.wav", clip, "audio/wav"), "b": ("planted-name.wav", voice(12), "audio/wav")}
        score = service.post("/compare", files=files, headers=headers).json()["score"]
        body = json.dumps({"a": {"embedding": answer["embedding"]}, "b": {"embedding": [12345.678] * answer["dim"]}})
        service.post("/compare", data=body, headers={**headers, "Content-Type": "application/json"})
        service.post("/compare", data=body[:-9], headers={**headers, "Content-Type": "application/json"})
        service.post("/embed?planted=option", data=clip, headers=headers)
        service.post("/planted/path", data=clip, headers=headers)
        service.get("/livez?planted", headers={"Authorization": "Bearer planted-wrong-key"})
        service.post("/embed", files={"planted-part": clip}, headers=headers)
        service.post("/embed", data=b"planted-text-body" * 9, headers=headers)
        service.get("/info", headers={"Authorization": "Bearer planted-wrong-key", "X-Request-Id": "bad id planted"})
        service.get("/livez", headers={"X-Request-Id": "last"})
        service.log_line("last")
        log = service.log()
        assert log.count('"msg":"request"') >= 10
        assert "planted" not in log, [line for line in log.splitlines() if "planted" in line]
        for number in [score, *answer["embedding"][:20], 12345.678]:
            digits = f"{abs(number):.9f}"[:8]  # long enough not to be met by chance
            assert digits not in log, digits
        assert clip[44:60] not in log.encode("latin-1", "replace")


def test_a_log_reader_that_stops_does_not_stop_the_service(tmp_path: Path) -> None:
    import os
    import subprocess
    import time

    import requests
    from service import BUILD, SMALL, free_port
    port, (reader, writer) = free_port(), os.pipe()
    process = subprocess.Popen([str(BUILD / "voiceprintd"), "--listen", f"127.0.0.1:{port}", "--model", str(SMALL), "--drain-delay-s", "0"],
                               stderr=writer)
    try:
        os.close(writer)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200:
                    break
            except requests.ConnectionError:
                time.sleep(0.05)
        session = requests.Session()
        for _ in range(1000):  # far more lines than a pipe holds
            assert session.get(f"http://127.0.0.1:{port}/livez", timeout=5).status_code == 200
        text = b""
        while b"lines_dropped" not in text and time.monotonic() < end:
            session.get(f"http://127.0.0.1:{port}/livez", timeout=5)
            text += os.read(reader, 65536)
        assert b"lines_dropped" in text
    finally:
        process.terminate()
        os.close(reader)
        assert process.wait(60) == 0


def test_cors_is_off_by_default(service: Service) -> None:
    response = service.get("/livez", headers={"Origin": "http://a.example"})
    assert not [name for name in response.headers if name.startswith("Access-Control")]


def test_cors(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("some-key-of-mine-0001\n")
    with Service(cors_origins="http://a.example, https://b.example:8443", api_keys_file=keys) as service:
        for origin, allowed in (("http://a.example", True), ("https://b.example:8443", True), ("http://a.example.evil", False),
                                ("http://a", False), ("null", False), ("https://b.example", False)):
            response = service.get("/livez", headers={"Origin": origin})
            assert response.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
            assert response.headers["Vary"] == "Origin"
        import requests
        preflight = {"Origin": "http://a.example", "Access-Control-Request-Method": "POST"}
        response = requests.options(service.url + "/embed", headers=preflight, timeout=10)
        assert response.status_code == 204 and response.headers["Access-Control-Allow-Methods"] == "POST"
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
        response = requests.options(service.url + "/embed", headers={**preflight, "Origin": "http://evil"}, timeout=10)
        assert (response.status_code, problem(response)) == (405, "method-not-allowed")
        assert requests.options(service.url + "/nope", headers=preflight, timeout=10).status_code == 404
    with Service(cors_origins="*") as service:
        assert service.get("/livez", headers={"Origin": "http://any"}).headers["Access-Control-Allow-Origin"] == "http://any"


def test_metrics_are_well_formed_and_count() -> None:
    with Service() as service:
        service.embed(voice())
        service.embed(wav(speech(1.0, rate=8000), 8000))
        service.embed(b"text")
        service.get("/nope")
        text = service.get("/metrics").text
        names = re.compile(r'^[a-z_:]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+$')
        for line in text.splitlines():
            assert line.startswith("# HELP ") or line.startswith("# TYPE ") or names.match(line), line
        for name in ("queue_depth", "queue_capacity", "workers", "workers_busy", "connections", "clients", "upload_bytes_buffered",
                     "audio_seconds_total", "clients_gone_total", "inference_invalid_total", "state", "build_info", "rejected_total",
                     "audio_warnings_total", "http_requests_total", "http_request_duration_seconds_bucket",
                     "stage_duration_seconds_sum", "loop_turn_seconds_bucket", "loop_turn_longest_seconds"):
            assert f"\nvoiceprintd_{name}" in text, name
        for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "start_time_seconds"):
            assert service.metric(f"process_{name}") > 0, name
        assert service.metric("voiceprintd_http_requests_total", route="embed", code="200") == 2
        assert service.metric("voiceprintd_http_requests_total", route="embed", code="415") == 1
        assert service.metric("voiceprintd_http_requests_total", route="other", code="404") == 1
        assert service.metric("voiceprintd_audio_seconds_total") == pytest.approx(3.0, abs=0.01)
        assert service.metric("voiceprintd_audio_warnings_total", warning="narrowband_source") == 1
        assert service.metric("voiceprintd_stage_duration_seconds_count", stage="inference") == 2
        buckets = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith('voiceprintd_stage_duration_seconds_bucket{stage="inference"')]
        assert buckets == sorted(buckets) and buckets[-1] == 2
        assert service.get("/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_warnings_are_in_the_order_of_the_contract(service: Service) -> None:
    clip = np.clip(speech(1.0, rate=8000) * 40, -1, 1)
    warnings = service.embed(wav(clip, 8000)).json()["quality"]["warnings"]
    order = ["short_clip", "low_speech", "low_level", "clipping", "narrowband_source", "channels_differ", "truncated",
             "content_type_guessed", "dc_offset"]
    assert {"short_clip", "clipping", "narrowband_source"} <= set(warnings)
    assert warnings == [name for name in order if name in warnings]


def test_openapi_is_served(service: Service) -> None:
    response = service.get("/openapi.yaml")
    assert response.headers["Content-Type"].startswith("application/yaml")
    assert response.content == (Path(__file__).resolve().parents[2] / "openapi.yaml").read_bytes()


def test_answers_behind_each_other_keep_their_own_headers(service: Service) -> None:
    with service.raw() as connection:
        for i in range(20):
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: id-%d\r\n\r\n" % i)
            assert read_answer(connection)[1]["x-request-id"] == f"id-{i}"
