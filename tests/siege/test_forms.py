"""Forms and JSON made to be slow to take apart: a worker does that, and the loop goes on.

What the loop may take for a turn is judged when the file is done, by the fixture; the bodies here took it
90 to 670 ms. It is the loop's CPU time, so that what else the machine does makes no difference.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import attackers
import numpy as np
import pytest
from service import BUILD, IS_SLOW, SLOWNESS, Service, problem, read_answer, speech, voice, wav

MIB = 1 << 20
# A form of 64 MiB held the loop for 170 ms. Sanitizers take a minute for each, and see no more in it.
LARGE = (8 if BUILD.name in ("asan", "tsan") else 250 if attackers.IS_LONG else 64) * MIB
BOUNDARY = b"ab" * 34 + b"x"  # as long as one may be, and like the body but for its end
FORM = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY.decode()}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(workers=2, queue_size=8, diarize_max_body_bytes=300 * MIB) as running:
        yield running
        attackers.judge_turns(running)


def form(*parts: tuple[bytes, bytes, bytes]) -> bytes:
    """A body of parts: name, type, content."""
    head = b'--%s\r\nContent-Disposition: form-data; name="%%s"\r\nContent-Type: %%s\r\n\r\n' % BOUNDARY
    return b"".join(head % (name, kind) + content + b"\r\n" for name, kind, content in parts) + b"--%s--\r\n" % BOUNDARY


def slow_json(item: bytes) -> bytes:
    """Nearly 1 MiB of it, the most that is taken: a stored embedding of far too many numbers, or of something else."""
    return b'{"embedding":[' + item * ((MIB - 100) // len(item)) + b"1]}"


@pytest.mark.skipif(IS_SLOW, reason="measures time: release build only")
def test_searching_is_linear(service: Service) -> None:
    """A step for each byte, not one for each byte of the boundary too: memmem() takes 2.3 times as long in all, the
    handing over of the bytes included. Beside it, in turn, bytes that nobody could take for the boundary; of each kind
    the run that was disturbed the least counts."""
    bodies = [form((b"file", b"audio/wav", piece * (LARGE // 2))) for piece in (b"ab", b"xy")]
    spent_s: list[list[float]] = [[], []]
    for kind in [0, 1] * 4:
        before = attackers.worker_seconds(service)
        assert service.post("/diarize", data=bodies[kind], headers=FORM).status_code == 415
        spent_s[kind].append(attackers.worker_seconds(service) - before)
    hostile, harmless = (1e9 * min(spent) / LARGE for spent in spent_s)
    print(f"{hostile:.2f} and {harmless:.2f} ns a byte")
    assert hostile < 1.7 * harmless


@pytest.mark.parametrize("piece", [b"ab", b"\r\n--" + b"ab" * 34, b"\r", b"\r\n--", b"\rx"], ids=ascii)
def test_searching_for_a_boundary(service: Service, piece: bytes) -> None:
    body = form((b"file", b"audio/wav", piece * (LARGE // len(piece))))
    probe = attackers.Probe(service)  # not before: Python makes it wait while it copies
    answer = service.post("/diarize", data=body, headers=FORM)
    assert (answer.status_code, problem(answer)) == (415, "unsupported-audio")
    probe.stop().judge()


def test_a_client_that_leaves_a_large_upload(service: Service) -> None:
    """What it sent is given back, piece by piece."""
    half = bytes(LARGE // 2)
    before = service.resident_bytes()
    for _ in range(3):
        with service.raw() as connection:
            connection.sendall(b"POST /diarize HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % LARGE + half)
            # A sanitizer keeps what was freed, so that nothing need grow there.
            service.wait_for(lambda: service.metric("voiceprintd_upload_bytes_buffered") > 0
                             and (IS_SLOW or service.resident_bytes() > before + LARGE // 3), 20 * SLOWNESS, "the upload")
        service.wait_for(lambda: service.metric("voiceprintd_upload_bytes_buffered") == 0, 20 * SLOWNESS, "its end")
        if not IS_SLOW:
            service.wait_for(lambda: service.resident_bytes() < before + LARGE // 10, 5, "the return of its memory")


@pytest.mark.parametrize("item", [b"1,", b"{},", b'"",'], ids=ascii)
@pytest.mark.parametrize("in_form", [False, True], ids=["body", "form"])
def test_json(service: Service, item: bytes, in_form: bool) -> None:
    stored = slow_json(item)
    body = form(*((name, b"application/json", stored) for name in (b"a", b"b"))) if in_form else b'{"a":%s}' % stored
    answer = service.post("/compare", data=body, headers=FORM if in_form else JSON)
    assert (answer.status_code, problem(answer)) == (400, "bad-request")
    assert answer.json()["field"] == "a.embedding" and "must be an array" in answer.json()["detail"]


def test_what_a_worker_reads_is_answered_as_before(service: Service) -> None:
    """Short or long: the same answers, the same problems."""
    clips = [wav(speech(seconds, seed=i)) for i, seconds in enumerate((2.5, 2.5, 1.0, 1.0))]
    assert len(clips[0]) > 64 << 10 > len(clips[2]) + 1000
    raw = [service.embed(clip).json()["embedding"] for clip in clips]
    for clip, embedding in zip(clips, raw):
        assert service.post("/embed", data=form((b"file", b"audio/wav", clip)), headers=FORM).json()["embedding"] == embedding
        wrong = service.post("/embed", data=form((b"fil", b"audio/wav", clip)), headers=FORM)
        assert (wrong.status_code, problem(wrong), wrong.json()["field"]) == (400, "bad-request", "fil")
        cut = service.post("/embed", data=form((b"file", b"audio/wav", clip))[:-100], headers=FORM)
        assert (cut.status_code, problem(cut), cut.json()["field"]) == (400, "bad-request", "file")
    large = service.compare(clips[:3], clips[3:]).json()
    assert large["a"]["clips"] == 3 and large["score"] == pytest.approx(float(
        np.dot(np.mean(raw[:3], axis=0) / np.linalg.norm(np.mean(raw[:3], axis=0)), raw[3])), abs=1e-5)
    blank = b" " * 100_000  # makes JSON long
    sides = b'{"a":{"embedding":%s},%%s"b":{"embedding":%s}}' % (str(raw[0]).encode(), str(raw[1]).encode())
    short, long = (service.post("/compare", data=sides % pad, headers=JSON) for pad in (b"", blank))
    assert short.status_code == long.status_code == 200 and short.json()["score"] == long.json()["score"]
    assert long.json()["a"] == short.json()["a"] == {"audio": None, "quality": None, "coherence": 1.0, "clips": 0}
    unknown = service.post("/compare", data=sides % (blank + b'"c":1,'), headers=JSON)
    assert (unknown.status_code, unknown.json()["field"]) == (400, "c")


def test_large_comparisons_have_a_number_of_places() -> None:
    """That one is large is seen when a worker reads it: still no more wait than may."""
    clips = [voice(i, 3.0) for i in range(3)]
    body = form(*((name, b"audio/wav", clip) for name, clip in zip((b"a", b"a", b"b"), clips)))
    head = (b"POST /compare HTTP/1.1\r\nHost: x\r\nContent-Type: " + FORM["Content-Type"].encode()
            + b"\r\nContent-Length: %d\r\n\r\n" % len(body))
    answers: list[int] = []

    def ask(service: Service) -> None:
        with service.raw() as connection:
            connection.sendall(head + body)
            answers.append(read_answer(connection)[0])

    with Service(workers=1, queue_size=2) as service:
        for _ in range(5):
            threads = [threading.Thread(target=ask, args=(service,)) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60 * SLOWNESS)
        assert len(answers) == 80 and set(answers) == {200, 503}, answers
        assert service.metric("voiceprintd_rejected_total", reason="overloaded") == answers.count(503)
        assert service.compare(clips[:2], clips[2:]).status_code == 200
