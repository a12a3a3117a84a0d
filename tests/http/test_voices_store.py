"""What is answered is on disk, what is deleted is not, and a store in trouble harms nobody else."""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
import stat
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import requests
from service import LARGE, PATIENCE_S, ROOT, Service, busy_clip, problem, send_embed, voice
from voices import Voices, axis, near, serve

OTHER = ROOT / "tests/golden/models/deep.safetensors"  # another model, whose embeddings are shorter
ROUNDS = 200 if os.environ.get("SIEGE") == "long" else 20


def float_bytes(vector: np.ndarray) -> bytes:
    return vector.astype("<f4").tobytes()


def files_of(path: Path) -> bytes:
    """The database and whatever lies beside it."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    with serve(path) as service:
        known = Voices(service)
        d = known.dim
        known.put("ada", [axis(0, d), near(0.9, 0, 1, d)], metadata={"k": [1, "ä"]})
        known.put("ada", [axis(1, d)], query="?collection=other", speech_s=1)
        known.delete_clip("ada", 0), known.add("ada", [axis(0, d)])
        before = [known.get("ada", q) for q in ("", "?collection=other")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with serve(path) as service:
        known = Voices(service)
        for was, query in zip(before, ("", "?collection=other")):
            now = known.get("ada", query)
            assert now.headers["ETag"] == was.headers["ETag"]
            assert {**now.json(), "request_id": 0} == {**was.json(), "request_id": 0}
        assert [c["clip"] for c in known.get("ada").json()["clip_details"]] == [1, 2]
        assert known.identify(axis(0, d)).json()["identity"] == "ada"


def test_deleted_bytes_are_in_no_file(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    rng = np.random.default_rng(1)
    with serve(path) as service:
        known = Voices(service)

        def vector() -> np.ndarray:
            v = axis(0, known.dim) + 0.3 * rng.standard_normal(known.dim) / known.dim**0.5
            return (v / np.linalg.norm(v)).astype(np.float32).astype(float)

        def kept(v: np.ndarray) -> bool:
            return float_bytes(v)[64:128] in files_of(path)

        for i in range(40):  # pages that split and merge
            known.put(f"other{i}", [vector(), vector()])
        a, b, c, e = vector(), vector(), vector(), vector()
        known.put("id-to-be-forgotten", [a, b], metadata={"note": "to be forgotten too"})
        assert kept(a) and kept(b) and b"id-to-be-forgotten" in files_of(path)
        known.delete_clip("id-to-be-forgotten", 0)
        assert not kept(a) and kept(b)
        known.put("id-to-be-forgotten", [c])
        assert not kept(b) and kept(c) and b"to be forgotten too" not in files_of(path)
        known.delete("id-to-be-forgotten")
        assert not kept(c) and b"id-to-be-forgotten" not in files_of(path)
        known.put("id-of-a-club", [e], query="?collection=club")
        assert kept(e)
        known.clear("?collection=club&confirm=club")
        assert not kept(e) and b"id-of-a-club" not in files_of(path)
        assert len(known.list("?limit=50").json()["voices"]) == 40


def writer(service: Service, number: int, round_: int, acknowledged: dict[str, int], dim: int) -> None:
    """PUTs, adds and deletes until the service is gone; notes what was answered, before it asks for more."""
    session = requests.Session()
    count = 0
    try:
        while True:
            name = f"w{number}-r{round_}-{count % 5}"
            url = f"{service.url}/voices/{name}"
            clip = {"embeddings": [axis(number, dim).tolist()] * 2, "speech_s": 30}
            kind = count % 3
            # Until the answer is there both are right: the state before, and the one after.
            before = acknowledged.get(name)
            acknowledged[name] = -1
            if kind == 0 or before is None:
                assert session.put(url, json=clip, timeout=30).status_code in (200, 201)
                acknowledged[name] = 2
            elif kind == 1:
                assert session.post(url + "/clips", json=clip, timeout=30).status_code == 200
                acknowledged[name] = before + 2
            else:
                assert session.delete(url, timeout=30).status_code == 204
                del acknowledged[name]
            count += 1
    except requests.RequestException:
        pass


def test_killed_at_any_point_nothing_answered_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    acknowledged: dict[str, int] = {}
    dice = random.Random(7)
    for round_ in range(ROUNDS):
        service = serve(path)
        try:
            known = Voices(service)
            there, after = {}, ""
            while after is not None:
                page = known.list("?limit=1000" + after).json()
                there |= {v["id"]: v for v in page["voices"]}
                after = "&after=" + page["next"] if page["next"] else None
            for name, clips in acknowledged.items():
                if clips >= 0:
                    assert there[name]["clips"] == clips, name
            for name, voice_ in there.items():
                assert name in acknowledged, f"{name} was deleted"
                assert voice_["clips"] % 2 == 0 and voice_["coherence"] == pytest.approx(1, abs=1e-5), "half a change"
            acknowledged = {name: v["clips"] for name, v in there.items()}
            threads = [threading.Thread(target=writer, args=(service, i, round_, acknowledged, known.dim)) for i in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(dice.uniform(0.01, 0.3))
        finally:
            service.kill()
        for thread in threads:
            thread.join(60)
    assert len(acknowledged) >= ROUNDS


def unavailable(answer: requests.Response) -> bool:
    return answer.status_code == 503 and problem(answer) == "store-unavailable" and "Retry-After" in answer.headers


def test_a_file_that_cannot_grow(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    with serve(path) as service:
        known = Voices(service)
        d = known.dim
        known.put("ada", [axis(0, d)])
        pid = service.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        # The log of the service may not grow either, and need not.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, before[1]))  # less than a page and what goes with it
        for i in range(3):
            assert unavailable(known.put(f"v{i}", [near(0.9, 1, 2, d)] * 8))
            assert known.list().json()["voices"][0]["id"] == "ada" and len(known.list().json()["voices"]) == 1
        assert known.identify(axis(0, d)).json()["identity"] == "ada"
        assert service.embed(voice()).status_code == 200
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        service.wait_for(lambda: known.put("v0", [axis(1, d)]).status_code in (200, 201), PATIENCE_S, "recovery")
        assert [v["id"] for v in known.list().json()["voices"]] == ["ada", "v0"]
    with serve(path) as service:
        assert [v["id"] for v in Voices(service).list().json()["voices"]] == ["ada", "v0"]


def test_a_file_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    with serve(folder / "v.db") as service:
        known = Voices(service)
        d = known.dim
        for answer in (known.put("ada", [axis(0, d)]), known.list(), known.get("ada"), known.identify(axis(0, d)),
                       known.delete("ada"), known.verify("ada", axis(0, d))):
            assert unavailable(answer), answer.text
        assert service.embed(voice()).status_code == 200 and service.get("/readyz").status_code == 200
        service.wait_for(lambda: service.log_lines("store-unavailable"), PATIENCE_S, "a line in the log")
        folder.mkdir()
        service.wait_for(lambda: known.list().status_code == 200, PATIENCE_S, "recovery")
        assert known.put("ada", [axis(0, d)]).status_code == 201


def test_a_file_that_others_have_or_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    with serve(path) as service:
        known = Voices(service)
        d = known.dim
        known.put("ada", [axis(0, d)])
        with serve(path) as second:  # the lock is the first one's
            assert unavailable(Voices(second).put("b", [axis(0, d)])) and second.embed(voice()).status_code == 200
        assert known.put("grace", [axis(1, d)]).status_code == 201
    good = path.read_bytes()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    for spoil in (path.read_bytes(), b"nothing that SQLite wrote" * 500, good[:4096] + b"\xff" * (len(good) - 4096)):
        path.write_bytes(spoil)
        with serve(path) as service:
            known = Voices(service)
            assert unavailable(known.list()) and unavailable(known.put("b", [axis(0, d)]))
            assert service.embed(voice()).status_code == 200
            spare = tmp_path / "spare"
            spare.write_bytes(good)
            spare.rename(path)
            service.wait_for(lambda: known.list().status_code == 200, PATIENCE_S, "recovery")
            assert [v["id"] for v in known.list().json()["voices"]] == ["ada", "grace"]


def test_a_file_that_is_replaced_under_way_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    with serve(path) as service:
        known = Voices(service)
        known.put("ada", [axis(0, known.dim)])
    shutil.copy(path, tmp_path / "backup")
    with serve(path) as service:
        known.service = service
        known.put("grace", [axis(1, known.dim)])
        (tmp_path / "v.db-wal").unlink()  # it belongs to the file that goes
        (tmp_path / "backup").rename(path)
        assert unavailable(known.put("b", [axis(2, known.dim)]))
        service.wait_for(lambda: known.put("b", [axis(2, known.dim)]).status_code == 201, PATIENCE_S, "the other file")
        assert [v["id"] for v in known.list().json()["voices"]] == ["ada", "b"]


def test_after_a_change_of_model_voices_are_stale(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    with serve(path) as service:
        known = Voices(service)
        a = axis(0, known.dim)
        known.put("ada", [a]), known.put("grace", [axis(1, known.dim)])
        digest = known.get("ada").json()["model_digest"]
    with serve(path, model=OTHER) as service:
        known = Voices(service)
        a = axis(0, known.dim)
        body = known.get("ada").json()
        assert body["stale"] and body["model_digest"] == digest != service.get("/info").json()["model_digest"]
        found = known.identify(a).json()
        assert found["identity"] is None and found["candidates"] == [] and found["voices"] == 0
        for answer in (known.verify("ada", a), known.add("ada", [a])):
            assert answer.status_code == 409 and problem(answer) == "voice-unusable"
        assert known.put("ada", [a]).status_code == 200
        assert not known.get("ada").json()["stale"] and known.identify(a).json()["identity"] == "ada"
        assert [(v["id"], v["stale"]) for v in known.list().json()["voices"]] == [("ada", False), ("grace", True)]
        assert [v["id"] for v in known.list("?limit=1&after=ada").json()["voices"]] == ["grace"]
        assert known.delete("grace").status_code == 204
    with serve(path) as service:
        assert [(v["id"], v["stale"]) for v in Voices(service).list().json()["voices"]] == [("ada", True)]


@pytest.mark.parametrize("waits", [True, False])
def test_a_client_that_left_enrols_nobody(tmp_path: Path, waits: bool) -> None:
    """While it waits for the worker, or while that has its recording."""
    with serve(tmp_path / "v.db", model=LARGE, workers=1, max_duration_s=200) as service:
        known = Voices(service)
        busy = send_embed(service, busy_clip()) if waits else None
        clip = voice(1, 4) if waits else busy_clip()
        gone = service.raw()
        gone.sendall(b"PUT /voices/ada HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(clip) + clip)
        sign = "voiceprintd_queue_depth 1" if waits else "voiceprintd_workers_busy 1"
        service.wait_for(lambda: sign in service.get("/metrics").text, PATIENCE_S, sign)
        gone.close()
        service.wait_for(lambda: "voiceprintd_clients_gone_total 1" in service.get("/metrics").text, PATIENCE_S, "its end")
        if busy is not None:
            busy.close()
        assert known.put("grace", [axis(0, known.dim)]).status_code == 201  # behind it in every queue
        assert [v["id"] for v in known.list().json()["voices"]] == ["grace"]
