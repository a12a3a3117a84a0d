"""Start, readiness, drain, reload, configuration."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests
from service import (BUILD, ROOT, SLOWNESS, SMALL, LARGE, Service, busy_clip, free_port, problem, read_answer, send_embed,
                     voice)

DAEMON = str(BUILD / "voiceprintd")


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DAEMON, *arguments], capture_output=True, text=True, timeout=60, check=False, env=env or {}, cwd=ROOT)


# ---- readiness ---------------------------------------------------------------------------------


def test_probes_answer_while_the_model_loads() -> None:
    with Service(model=LARGE, max_duration_s=200, wait=False, admin_listen=f"127.0.0.1:{free_port()}") as service:
        service.wait_for(lambda: service.get("/livez").status_code == 200, 10 * SLOWNESS, "/livez")
        seen = set()
        while True:
            response = service.get("/readyz")
            seen.add(response.status_code)
            if response.status_code == 200:
                break
            assert (response.status_code, problem(response)) == (503, "not-ready")
            time.sleep(0.005)
        assert 503 in seen, "readiness came only after the load"
        assert service.get("/healthz").json() == {"status": "ready"}


def test_a_model_that_is_refused_never_becomes_ready(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(SMALL.read_bytes()[:200_000])
    with Service(model=broken, wait=False) as service:
        service.wait_for(lambda: bool(service.log_lines("model-refused")), 20 * SLOWNESS, "a refusal")
        response = service.get("/readyz")
        assert (response.status_code, problem(response)) == (503, "not-ready")
        assert response.json()["detail"] == service.log_lines("model-refused")[0]["detail"]
        assert problem(service.embed(voice())) == "not-ready" and service.get("/livez").status_code == 200
        broken.write_bytes(SMALL.read_bytes())  # mended: SIGHUP is enough
        service.send_signal(signal.SIGHUP)
        service.wait_ready()
        assert service.embed(voice()).status_code == 200


def test_a_model_that_is_missing_ends_the_start() -> None:
    done = run("--model", "no/such/file", "--listen", f"127.0.0.1:{free_port()}")
    assert done.returncode == 2 and "no/such/file" in done.stderr and "--model" in done.stderr


def test_a_port_that_is_taken_ends_the_start() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("--model", str(SMALL), "--listen", address)
        assert done.returncode == 1 and address in done.stderr and "in use" in done.stderr


def test_probe_flag() -> None:
    with Service() as service:
        assert run("--probe", "--listen", f"0.0.0.0:{service.port}").returncode == 0
    assert run("--probe", "--listen", f"127.0.0.1:{service.port}").returncode == 1


# ---- drain -------------------------------------------------------------------------------------


def test_sigterm_in_mid_request() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=1) as service:
        running = send_embed(service, busy_clip(), "running")
        service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 1, 10 * SLOWNESS, "a busy worker")
        queued = send_embed(service, voice(), "queued")
        service.wait_for(lambda: service.metric("voiceprintd_queue_depth") == 1, 10 * SLOWNESS, "a queue")
        service.send_signal(signal.SIGTERM)
        for connection in (running, queued):
            status, headers, _ = read_answer(connection, 60)
            assert (status, headers["connection"]) == (200, "close")
        assert service.wait_end() == 0


def test_sigterm_in_mid_upload() -> None:
    with Service(drain_delay_s=0.3) as service:
        clip = voice()
        with service.raw() as connection:
            connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(clip) + clip[:1000])
            time.sleep(0.1)
            service.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            connection.sendall(clip[1000:])
            assert read_answer(connection)[0] == 200
        assert service.wait_end() == 0


def test_steps_of_the_drain() -> None:
    with Service(drain_delay_s=1.0 if SLOWNESS == 1 else 5.0, model=LARGE, workers=1) as service:
        held = send_embed(service, busy_clip())
        kept = service.raw()
        kept.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(kept)[0] == 200
        held.close()
        service.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        response = service.get("/readyz")  # announced: unready, yet served
        assert (response.status_code, problem(response), response.headers["Connection"]) == (503, "draining", "close")
        response = service.get("/livez")
        assert (response.status_code, response.headers["Connection"]) == (200, "close")
        response = service.embed(voice(seconds=0.6))
        assert (response.status_code, response.headers["Connection"]) == (200, "close")
        assert service.metric("voiceprintd_state", state="draining") == 1
        assert service.wait_end() == 0
        assert [line["msg"] for line in map(json.loads, service.log().splitlines()) if line["msg"].startswith("drain")] == \
            ["drain-announced", "drain-closed", "drained"]


def test_after_the_close_new_connections_are_refused_and_old_ones_told() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=1) as service:
        kept = service.raw()
        kept.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(kept)[0] == 200
        running = send_embed(service, busy_clip())
        service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 1, 10 * SLOWNESS, "a job")
        service.send_signal(signal.SIGINT)  # skips the delay
        service.wait_for(lambda: bool(service.log_lines("drain-closed")), 5, "the close")
        with pytest.raises(ConnectionRefusedError):
            service.raw()
        clip = voice()
        kept.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(clip) + clip)
        status, headers, body = read_answer(kept)
        assert (status, headers["connection"]) == (503, "close") and b":draining" in body and "retry-after" in headers
        assert read_answer(running, 60)[0] == 200
        assert service.wait_end() == 0


def test_second_signal_ends_at_once() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=1) as service:
        running = send_embed(service, busy_clip())
        service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 1, 10 * SLOWNESS, "a job")
        service.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        start = time.monotonic()
        assert service.stop(signal.SIGTERM) == 1
        assert time.monotonic() - start < 3 * SLOWNESS, "the clip takes longer"
        running.close()


def test_drain_timeout_cuts_and_says_so() -> None:
    with Service(drain_timeout_s=0.5) as service:
        with service.raw() as connection:
            connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nRIFF")
            time.sleep(0.2)
            assert service.stop() == 1
            assert connection.recv(100) == b""


def test_sigterm_while_the_model_loads() -> None:
    for delay_s in (0.0, 0.02, 0.1, 0.3):
        service = Service(model=LARGE, max_duration_s=200, wait=False)
        with service:
            service.wait_for(lambda: service.log_lines("listening"), 10 * SLOWNESS, "listening")
            time.sleep(delay_s)
            assert service.stop() == 0


def test_drain_under_load_loses_nothing() -> None:
    """Twenty times: every request on an accepted connection gets a whole answer, in mid-drain too; clients that keep
    their connection are told to close it."""
    rounds = 20 if SLOWNESS == 1 else 4
    clip = voice(seconds=0.7)
    request = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(clip) + clip
    for _ in range(rounds):
        with Service(workers=2, queue_size=64, drain_delay_s=0.1) as service:
            lost: list[str] = []
            answers: list[tuple[float, int, bool]] = []  # when, status, on a connection used before

            def client(keeps: bool) -> None:
                while True:
                    try:  # a dropped SYN is sent again after a second: that long nobody waits
                        connection = socket.create_connection(("127.0.0.1", service.port), timeout=0.5 * SLOWNESS)
                    except OSError:
                        return  # refused: never accepted
                    try:
                        for n in range(1000 if keeps else 1):
                            connection.sendall(request)
                            status, headers, _ = read_answer(connection, 30)
                            answers.append((time.monotonic(), status, n > 0))
                            if headers.get("connection") == "close":
                                break
                    except OSError as error:
                        lost.append(f"{error!r}, kept: {keeps}")
                        return
                    finally:
                        connection.close()
            threads = [threading.Thread(target=client, args=(i % 2 == 0,)) for i in range(8)]
            for thread in threads:
                thread.start()
            service.wait_for(lambda: len(answers) > 10, 20 * SLOWNESS, "load")
            told = time.monotonic()
            assert service.stop() == 0
            for thread in threads:
                thread.join(30)
            assert not lost, lost
            assert {status for _, status, _ in answers} <= {200, 503} and any(kept for _, _, kept in answers)
            assert sum(when > told and status == 200 for when, status, _ in answers) >= 4, "nothing was under way"
            log = {line["status"] for line in service.log_lines("request")}
            assert log <= {200, 503}, f"the service itself cut or lost some: {log}"


# ---- reload ------------------------------------------------------------------------------------


def test_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# staff\nfirst-secret-key-0001\n\n  \nsecond-secret-key-0002\r\n")
    with Service(api_keys_file=keys) as service:
        def status(authorization: str | None, path: str = "/info") -> int:
            headers = {} if authorization is None else {"Authorization": authorization}
            return service.get(path, headers=headers).status_code
        for good in ("Bearer first-secret-key-0001", "bearer second-secret-key-0002", "Bearer  first-secret-key-0001"):
            assert status(good) == 200
        for bad in (None, "", "Bearer", "Bearer ", "Bearer first-secret-key-000", "Bearer first-secret-key-00011",
                    "Basic first-secret-key-0001", "first-secret-key-0001", "Bearer # staff", "Bearer " + "a" * 300):
            assert status(bad) == 401, bad
        response = service.embed(voice())
        assert (response.status_code, problem(response)) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == "Bearer"
        for path in ("/livez", "/readyz", "/healthz", "/metrics", "/openapi.yaml"):
            assert status(None, path) == 200
        keys.write_text("third-secret-key-0003\n")
        service.send_signal(signal.SIGHUP)
        service.wait_for(lambda: status("Bearer third-secret-key-0003") == 200, 5, "the new key")
        assert status("Bearer first-secret-key-0001") == 401
        keys.write_text("bad key with blanks\n")
        service.send_signal(signal.SIGHUP)
        service.wait_for(lambda: bool(service.log_lines("keys-refused")), 5, "a refusal")
        assert status("Bearer third-secret-key-0003") == 200, "the old keys stay"
        assert "secret-key" not in service.log() and "blanks" not in service.log()


@pytest.mark.parametrize("text,what", [("", "no key"), ("# only\n", "no key"), ("a b\n", "line 1"), ("ok\n" + "x" * 300, "line 2")])
def test_bad_key_files_stop_the_start(tmp_path: Path, text: str, what: str) -> None:
    keys = tmp_path / "keys"
    keys.write_text(text)
    done = run("--model", str(SMALL), "--listen", f"127.0.0.1:{free_port()}", "--api-keys-file", str(keys))
    assert done.returncode == 1 and what in done.stderr


def test_model_reload_under_load(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    other = ROOT / "tests/golden/models/tiny.safetensors"
    shutil.copy(SMALL, model)
    with Service(model=model, workers=2, queue_size=64) as service:
        digest = service.get("/info").json()["model_digest"]
        stop, failures, digests = threading.Event(), [], set()

        def client() -> None:
            while not stop.is_set():
                response = service.embed(voice())
                if response.status_code != 200:
                    failures.append(response.text)
                else:
                    digests.add(response.json()["model_digest"])
        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        service.wait_for(lambda: bool(digests), 20 * SLOWNESS, "an answer by the first model")
        def replace(content: bytes) -> None:
            # A file that changes while it is read is refused: it is replaced, never written over.
            fresh = tmp_path / "fresh"
            fresh.write_bytes(content)
            fresh.rename(model)
            service.send_signal(signal.SIGHUP)
        try:
            replace(other.read_bytes())
            service.wait_for(lambda: service.get("/info").json()["model_digest"] != digest, 20 * SLOWNESS, "the new model")
            second = service.get("/info").json()["model_digest"]
            replace(other.read_bytes()[:-100])
            service.wait_for(lambda: bool(service.log_lines("model-refused")), 20 * SLOWNESS, "a refusal")
            assert service.get("/readyz").status_code == 200
            assert service.get("/info").json()["model_digest"] == second, "the old model stays"
            service.wait_for(lambda: second in digests, 20 * SLOWNESS, "an answer by the second model")
            for _ in range(5):
                service.send_signal(signal.SIGHUP)
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        assert not failures, failures[:3]
        assert digests == {digest, second}


# ---- configuration -----------------------------------------------------------------------------


def printed(*arguments: str, env: dict[str, str] | None = None) -> dict:
    done = run("--print-config", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_precedence(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"queue_size": 5, "workers": 3, "drain_delay_s": 1.5, "metrics": false, "calibration": [2, -1]}')
    got = printed("--config", str(file), "--queue-size=7", env={"VOICEPRINTD_QUEUE_SIZE": "6", "VOICEPRINTD_WORKERS": "4"})
    assert (got["queue_size"], got["workers"], got["drain_delay_s"], got["metrics"]) == (7, 4, 1.5, "off")
    assert got["calibration"] == [2, -1] and got["max_body_bytes"] == 16 << 20 and got["max_clips"] == 8
    assert printed(env={"VOICEPRINTD_CONFIG": str(file)})["queue_size"] == 5
    assert printed("--workers", "3")["queue_size"] == 12


def test_print_config_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    got = printed("--threshold", "0.4", "--cors-origins", 'http://a "b"', "--long-audio", "truncate")
    file.write_text(json.dumps(got))
    assert printed("--config", str(file)) == got


def test_the_shipped_file_states_the_defaults() -> None:
    shipped = json.loads((ROOT / "config/voiceprintd.json").read_text())
    assert list(shipped) == list(printed()), "every key, in order"
    assert printed("--config", str(ROOT / "config/voiceprintd.json")) == printed()


@pytest.mark.parametrize("text,place", [
    ('{\n "queue_size": 5,\n "nope": 1\n}', ":3: "), ('{\n "workers": "many"}', ":2: "), ('{"workers": 0}', ":1: "),
    ('{"workers": 1.5}', "workers"), ('{"max_body_bytes": "1TB"}', "max_body_bytes"), ('{"log_level": "loud"}', "debug|info"),
    ('{"threshold": 2}', "threshold"), ('{"listen": {}}', "wrong kind"), ('{"a": 1, "a": 2}', "duplicate"), ("[", ":1"), ("", ":1"),
    ('{"max_duration_s": 0.3}', "max_duration_s"), ('{"drain_delay_s": -1}', "drain_delay_s"), ('{"model": ""}', "model"),
    ('{"max_buffered_bytes": 4096}', "max_buffered_bytes"), ('{"header_timeout_s": "nan"}', "header_timeout_s")])
def test_bad_files_name_the_place(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    done = run("--check-config", "--config", str(file))
    assert done.returncode == 2 and place in done.stderr, done.stderr


def test_bad_flags_and_environment() -> None:
    for arguments, env, what in ((["--nope", "1"], {}, "--nope"), (["stray"], {}, "stray"), (["--workers"], {}, "--workers"),
                                 (["--workers", "x"], {}, "flag"), ([], {"VOICEPRINTD_NOPE": "1"}, "VOICEPRINTD_NOPE"),
                                 ([], {"VOICEPRINTD_WORKERS": "-1"}, "VOICEPRINTD_WORKERS"), (["-"], {}, "-"), ([""], {}, '""'),
                                 (["--config", "no/such"], {}, "no/such")):
        done = run("--check-config", "--model", str(SMALL), *arguments, env=env)
        assert done.returncode == 2 and what in done.stderr, (arguments, done.stderr)
    planted = {"VOICEPRINTD_PORT": "tcp://10.0.0.1:80", "VOICEPRINTD_SERVICE_HOST": "10.0.0.1"}  # by Kubernetes
    assert run("--check-config", "--model", str(SMALL), env=planted).returncode == 0


def test_help_and_version() -> None:
    text = run("--help").stdout
    for key in printed():
        assert re.search(rf"^  {key} ", text, re.M), key
    assert run("--version").stdout.startswith("voiceprintd ")


def test_admin_listener() -> None:
    port = free_port()
    with Service(admin_listen=f"127.0.0.1:{port}") as service:
        admin = f"http://127.0.0.1:{port}"
        for path, here, there in (("/livez", 200, 200), ("/readyz", 200, 200), ("/metrics", 404, 200), ("/info", 200, 404)):
            assert service.get(path).status_code == here
            assert requests.get(admin + path, timeout=10).status_code == there
        assert requests.post(admin + "/embed", data=voice(), timeout=10).status_code == 404
        assert run("--probe", "--admin-listen", f"127.0.0.1:{port}").returncode == 0


def test_switched_off() -> None:
    with Service(metrics="off", docs="off", wait=False) as service:
        service.wait_ready()
        assert service.get("/metrics").status_code == 404 and service.get("/openapi.yaml").status_code == 404


def test_long_audio_truncate() -> None:
    with Service(max_duration_s=3, long_audio="truncate") as service:
        answer = service.embed(voice(1, 5.0)).json()
        assert answer["audio"]["used_s"] == pytest.approx(3, abs=0.02) and "truncated" in answer["quality"]["warnings"]
