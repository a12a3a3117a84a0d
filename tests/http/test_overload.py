"""More work than there are workers, clients that leave, clients that are slow, memory that is short."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
from service import SLOWNESS, LARGE, Service, busy_clip, problem, read_all, read_answer, send_embed, voice


def occupy(service: Service, n: int) -> list[socket.socket]:
    """Keeps n workers or queue places busy; returns the connections."""
    clip = busy_clip()
    connections = [send_embed(service, clip, f"busy-{i}") for i in range(n)]
    wanted = min(n, int(service.metric("voiceprintd_workers")))
    service.wait_for(lambda: service.metric("voiceprintd_workers_busy") + service.metric("voiceprintd_queue_depth") >= n
                     and service.metric("voiceprintd_workers_busy") == wanted, 20 * SLOWNESS, "busy workers")
    return connections


def test_hundred_parallel_against_a_queue_of_four() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=2, queue_size=4) as service:
        clips = {seed: voice(seed, 3.0) for seed in range(5)}
        expected = {seed: np.array(service.embed(clip).json()["embedding"]) for seed, clip in clips.items()}
        refused_after: list[float] = []
        good = 0

        def ask(i: int) -> tuple[int, requests.Response, float]:
            start = time.monotonic()
            return i % 5, service.embed(clips[i % 5]), time.monotonic() - start

        with ThreadPoolExecutor(100) as pool:
            for seed, response, seconds in pool.map(ask, range(100)):
                if response.status_code == 200:
                    good += 1
                    assert np.allclose(response.json()["embedding"], expected[seed], atol=1e-6)
                    continue
                assert (response.status_code, problem(response)) == (503, "overloaded")
                assert 1 <= int(response.headers["Retry-After"]) <= 30 and response.json()["queue_depth"] <= 4
                refused_after.append(seconds)
        assert good >= 6 and len(refused_after) + good == 100
        service.wait_for(lambda: len(service.log_lines("request")) >= 105, 10, "the log")
        refused_ms = [line["total_ms"] for line in service.log_lines("request") if line.get("problem") == "overloaded"]
        assert len(refused_ms) == len(refused_after)
        # The service's own clock: a hundred Python threads on two cores measure mostly themselves.
        assert SLOWNESS > 1 or np.percentile(refused_ms, 95) < 500, sorted(refused_ms)[-5:]
        assert service.metric("voiceprintd_rejected_total", reason="overloaded") == len(refused_after)
        assert service.embed(clips[0]).status_code == 200


def test_a_refusal_is_instant_and_comes_before_the_body() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=1, queue_size=1) as service:
        connections = occupy(service, 2)
        start = time.monotonic()
        with service.raw() as connection:
            connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
            status, headers, body = read_answer(connection)
        assert time.monotonic() - start < 2 * SLOWNESS, "what runs takes ten times as long"
        assert status == 503 and b"overloaded" in body and headers["retry-after"]
        assert service.get("/readyz").status_code == 200, "a full queue does not make it unready"
        for connection in connections:
            assert read_answer(connection, 60)[0] == 200
            connection.close()


def test_two_clips_at_once() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=2) as service:
        alone = {seed: service.embed(voice(seed, 4)).json()["embedding"] for seed in (1, 2)}
        with ThreadPoolExecutor(2) as pool:
            for _ in range(3):
                both = list(pool.map(lambda seed: service.embed(voice(seed, 4)).json()["embedding"], (1, 2)))
                assert both == [alone[1], alone[2]]


def test_waiting_too_long() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=1, queue_size=4, queue_timeout_ms=150) as service:
        connections = occupy(service, 1)
        start = time.monotonic()
        response = service.embed(voice())
        waited = time.monotonic() - start
        assert (response.status_code, problem(response)) == (503, "queue-timeout")
        assert 0.15 <= waited < 0.15 + 0.3 * SLOWNESS and "Retry-After" in response.headers
        assert read_answer(connections[0], 60)[0] == 200


def test_request_deadline_while_running() -> None:
    # Four minutes of sound keep any machine busy for longer than the deadline.
    with Service(model=LARGE, workers=1, max_duration_s=300, request_timeout_s=0.5) as service:
        response = service.embed(busy_clip(240))
        assert (response.status_code, problem(response)) == (503, "queue-timeout")
        service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 0, 60 * SLOWNESS, "an idle worker")
        assert service.embed(voice(seconds=0.6)).status_code in (200, 503)


def test_clients_that_leave_are_dropped_and_counted() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=1, queue_size=8) as service:
        connections = occupy(service, 1)
        leaving = [send_embed(service, voice(), f"gone-{i}") for i in range(5)]
        service.wait_for(lambda: service.metric("voiceprintd_queue_depth") == 5, 10, "five in the queue")
        done_before = service.metric("voiceprintd_stage_duration_seconds_count", stage="inference")
        for connection in leaving:
            connection.close()
        service.wait_for(lambda: service.metric("voiceprintd_queue_depth") == 0, 5, "an empty queue")
        assert service.metric("voiceprintd_clients_gone_total") == 5
        assert read_answer(connections[0], 60)[0] == 200
        time.sleep(0.2)
        done = service.metric("voiceprintd_stage_duration_seconds_count", stage="inference") - done_before
        assert done == 1, "only the job of the client that stayed was done"
        assert [line["status"] for line in service.log_lines("request") if line["request_id"].startswith("gone")] == [499] * 5


def test_slow_head_and_slow_body_are_cut() -> None:
    with Service(header_timeout_s=0.5, request_timeout_s=1.0, idle_timeout_s=0.5) as service:
        def drip(head: bytes, drops: bytes) -> float:
            start = time.monotonic()
            with service.raw() as connection:
                connection.sendall(head)
                connection.settimeout(0.1)
                for byte in drops:
                    try:
                        connection.sendall(bytes([byte]))
                        if connection.recv(100) == b"":
                            break
                    except TimeoutError:
                        continue
                    except OSError:
                        break
            return time.monotonic() - start
        assert drip(b"", b"GET /livez HTTP/1.1\r\nX: " + b"a" * 100) < 0.5 + 1.0 * SLOWNESS
        assert drip(b"GET /livez HTTP/1.1\r\n", b"X: " + b"a" * 100) < 0.5 + 1.0 * SLOWNESS
        assert drip(b"POST /embed HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", b"a" * 100) < 1.0 + 1.0 * SLOWNESS
        with service.raw() as silent:
            start = time.monotonic()
            assert read_all(silent, 10) == b"" and time.monotonic() - start < 0.5 + 1.0 * SLOWNESS
        with service.raw() as kept:
            kept.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(kept)[0] == 200
            start = time.monotonic()
            assert kept.recv(10) == b"" and 0.3 < time.monotonic() - start < 0.5 + 1.0 * SLOWNESS
        assert service.metric("voiceprintd_deadlines_missed_total") >= 3
        assert service.metric("voiceprintd_http_requests_total", route="embed", code="408") == 1


def test_a_reader_that_does_not_read_is_cut() -> None:
    with Service(request_timeout_s=1.0) as service:
        with service.raw() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
            service.wait_for(lambda: service.metric("voiceprintd_deadlines_missed_total") >= 1, 5 * SLOWNESS, "a cut")


def test_idle_connections_do_not_starve_the_probes() -> None:
    with Service(max_connections=128) as service:
        idle: list[socket.socket] = []
        try:
            for _ in range(2000):
                idle.append(service.raw())
            for i in range(0, len(idle), 3):
                try:
                    idle[i].sendall(b"GET /livez HT")
                except OSError:
                    pass
            service.wait_for(lambda: service.metric("voiceprintd_connections") <= 140, 20 * SLOWNESS, "room")
            times = []
            for _ in range(50):
                start = time.monotonic()
                assert requests.get(service.url + "/livez", timeout=5).status_code == 200
                assert requests.get(service.url + "/readyz", timeout=5).status_code == 200
                times.append((time.monotonic() - start) / 2)
            # The median: on a busy machine the tail is the machine's. `make overload` judges the tail.
            assert np.median(times) < 0.05 * SLOWNESS, sorted(times)[-3:]
            assert service.metric("voiceprintd_connections_evicted_total") > 1000
        finally:
            for connection in idle:
                connection.close()
        service.wait_for(lambda: service.metric("voiceprintd_connections") <= 2, 10 * SLOWNESS, "no connections")


def test_silent_connections_do_not_drive_out_those_that_work() -> None:
    with Service(max_connections=64, idle_timeout_s=60) as service, service.raw() as kept:
        silent: list[socket.socket] = []
        try:
            for _ in range(8):
                kept.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                assert read_answer(kept)[0] == 200, "closed between two requests"
                time.sleep(0.6)
                silent += [service.raw() for _ in range(60)]
                time.sleep(0.3)
            service.wait_for(lambda: service.metric("voiceprintd_connections_evicted_total") > 100, 10 * SLOWNESS, "evictions")
        finally:
            for connection in silent:
                connection.close()


def test_upload_memory_budget() -> None:
    with Service(max_body_bytes="1MiB", max_buffered_bytes="2MiB", request_timeout_s=20) as service:
        holding = []
        for _ in range(2):
            connection = service.raw()
            connection.sendall(b"POST /embed HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nRIFF")
            holding.append(connection)
        service.wait_for(lambda: service.metric("voiceprintd_upload_bytes_buffered") == 2_000_000, 5, "two reservations")
        response = service.embed(voice(seconds=5))
        assert (response.status_code, problem(response)) == (503, "overloaded-memory")
        response = service.post("/embed", data=iter([bytes(50_000)] * 6))
        assert (response.status_code, problem(response)) == (503, "overloaded-memory")
        assert service.embed(voice(seconds=0.6)).status_code == 200, "a small one still fits"
        for connection in holding:
            connection.close()
        service.wait_for(lambda: service.metric("voiceprintd_upload_bytes_buffered") == 0, 5, "nothing reserved")


def test_memory_held_for_nothing_is_given_back() -> None:
    """Who declares much and sends nothing keeps others out for two seconds, not until a deadline; a slow upload that
    will come through is left alone."""
    with Service(max_body_bytes="1MiB", max_buffered_bytes="3MiB", request_timeout_s=40) as service:
        head = b"POST /embed HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"
        hogs = [service.raw() for _ in range(2)]
        for connection in hogs:
            connection.sendall(head + b"RIFF")
        with service.raw() as honest:
            honest.sendall(head)
            sent, relieved = 0, threading.Event()

            def drip() -> None:  # by a clock of its own, however long the answers below take
                nonlocal sent
                while not relieved.wait(0.1) and sent < 900_000:
                    honest.sendall(bytes(6_000))
                    sent += 6_000

            dripping = threading.Thread(target=drip)
            dripping.start()
            large = voice(seconds=10)
            start, refused = time.monotonic(), 0
            while (response := service.embed(large)).status_code != 200:
                assert problem(response) == "overloaded-memory" and time.monotonic() - start < 3 * SLOWNESS
                refused += 1
                time.sleep(0.2)
            relieved.set()
            dripping.join()
            assert refused > 3 and time.monotonic() - start > 1.5
            for connection in hogs:
                status, _, body = read_answer(connection)
                assert status == 503 and b"overloaded-memory" in body
                connection.close()
            honest.sendall(bytes(1_000_000 - sent))
            assert read_answer(honest)[0] == 415, "zeros are no audio, but they arrived"
        # In a slow build the large clip may come so late that it is taken for such a one, and is sent again.
        n_missed = service.metric("voiceprintd_deadlines_missed_total")
        assert n_missed == 2 or (SLOWNESS > 1 and n_missed > 2)
        assert service.metric("voiceprintd_upload_bytes_buffered") == 0


def test_a_conversation_that_does_not_come_keeps_no_other_out() -> None:
    with Service(request_timeout_s=30, diarize_max_body_bytes="1MiB") as service:
        with service.raw() as hog:
            hog.sendall(b"POST /diarize HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nRIFF")
            service.wait_for(lambda: service.metric("voiceprintd_upload_bytes_buffered") == 1_000_000, 5 * SLOWNESS, "a reservation")
            start = time.monotonic()
            service.wait_for(lambda: service.post("/diarize", data=voice(seconds=4)).status_code == 200, 5 * SLOWNESS, "an answer")
            assert time.monotonic() - start > 1
            status, _, body = read_answer(hog)
            assert status == 503 and b"overloaded-memory" in body


def test_memory_and_descriptors_stay_flat() -> None:
    with Service(queue_size=64, log_level="error") as service:
        clip, broken = voice(), voice()[:100]

        def traffic(n: int) -> None:
            def one(i: int) -> None:
                if i % 4 == 0:
                    service.embed(broken)
                elif i % 4 == 1:
                    send_embed(service, clip).close()
                elif i % 4 == 2:
                    service.post("/embed", data=b"")
                else:
                    service.embed(clip)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(one, range(n)))
        traffic(400 if SLOWNESS == 1 else 100)
        service.wait_for(lambda: service.metric("voiceprintd_connections") <= 1, 10, "settled")
        memory, fds = service.resident_bytes(), service.open_fds()
        traffic(1200 if SLOWNESS == 1 else 200)
        service.wait_for(lambda: service.metric("voiceprintd_connections") <= 1, 10, "settled")
        # ASan keeps freed memory in quarantine on purpose: only a plain build is judged.
        if SLOWNESS == 1:
            assert service.resident_bytes() <= memory * 1.05 + (1 << 20), (memory, service.resident_bytes())
        assert service.open_fds() <= fds + 2


def test_probes_answer_while_all_workers_are_busy() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=2, queue_size=8) as service:
        connections = occupy(service, 6)
        times = []
        for _ in range(60):
            start = time.monotonic()
            assert requests.get(service.url + "/livez", timeout=5).status_code == 200
            times.append(time.monotonic() - start)
        assert np.median(times) < 0.05 * SLOWNESS, sorted(times)[-5:]
        for connection in connections:
            connection.close()


def test_watchdog() -> None:
    with Service(model=LARGE, max_duration_s=200, workers=1, watchdog_s=0.1) as service:
        connections = occupy(service, 1)
        service.wait_for(lambda: service.get("/livez").status_code == 503, 5, "stuck")
        assert problem(service.get("/livez")) == "stuck"
        assert service.metric("voiceprintd_state", state="stuck") == 1
        assert read_answer(connections[0], 60)[0] == 200
        assert service.get("/livez").status_code == 200


def test_clients_that_leave_in_mid_upload_are_noticed() -> None:
    """Their end of stream comes with their last bytes: no further event tells of it."""
    with Service() as service:
        clip = voice()
        for i in range(100):
            with service.raw() as connection:
                connection.sendall(b"POST /embed HTTP/1.1\r\nContent-Length: 99000\r\n\r\n" + clip[:i * 300])
            with service.raw() as connection:
                connection.sendall(b"GET /livez HTTP/1.1\r\nX: "[:i % 25])
        service.wait_for(lambda: service.metric("voiceprintd_connections") <= 1, 3 * SLOWNESS, "no connections")
        assert service.metric("voiceprintd_upload_bytes_buffered") == 0
        assert service.metric("voiceprintd_http_requests_total", route="embed", code="499") == 100


def test_a_client_that_closes_its_side_still_gets_its_answer() -> None:
    with Service() as service:
        with service.raw() as connection:
            connection.sendall(b"GET /info HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            assert read_answer(connection)[0] == 200


@pytest.mark.parametrize("n", [1, 30])
def test_disconnects_in_every_phase(n: int) -> None:
    with Service(workers=1, queue_size=4) as service:
        clip = voice()
        request = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(clip) + clip
        for cut in (0, 5, 40, 70, 100, len(request) - 1, len(request)):
            connections = []
            for _ in range(n):
                connection = service.raw()
                connection.sendall(request[:cut])
                connections.append(connection)
            for connection in connections:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # reset
                connection.close()
        service.wait_for(lambda: service.metric("voiceprintd_connections") <= 1, 10 * SLOWNESS, "no connections")
        assert service.embed(clip).status_code == 200
        assert service.metric("voiceprintd_upload_bytes_buffered") == 0


def test_parallel_mixture_answers_each_its_own() -> None:
    """Ids, scores and embeddings never cross between requests in flight."""
    with Service(workers=2, queue_size=200) as service:
        clips = [voice(seed) for seed in range(6)]
        expected = [service.embed(clip).json()["embedding"] for clip in clips]
        wrong: list[str] = []

        def one(i: int) -> None:
            response = service.post("/embed", data=clips[i % 6], headers={"X-Request-Id": f"mix-{i}"})
            if response.json().get("embedding") != expected[i % 6] or response.json()["request_id"] != f"mix-{i}":
                wrong.append(response.text[:200])
        threads = [threading.Thread(target=one, args=(i,)) for i in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60 * SLOWNESS)
        assert not wrong
