"""Fair shares: an address or a key that takes all it can get leaves the others what is theirs.

Attackers and others come from addresses of their own, all of 127.0.0.0/8, or through a proxy that names them.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import attackers
import pytest
from service import IS_SLOW, LARGE, SLOWNESS, Service, busy_clip, read_answer, voice

CLIP = voice(seconds=2)
ATTACKER, OTHER = "127.0.0.1", "127.0.0.2"
HEAD = "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {n}\r\n{fields}\r\n"
FORM = "Content-Type: multipart/form-data; boundary=b\r\n"
MIB = 1 << 20


@pytest.fixture
def target() -> Iterator[Service]:
    with Service(workers=1, max_body_bytes="1MiB", max_buffered_bytes="16MiB", diarize_max_body_bytes="8MiB", request_timeout_s=30) as running:
        yield running
        attackers.judge_turns(running)
        running.wait_for(lambda: running.metric("voiceprintd_clients") == 1, 5 * SLOWNESS, "nobody in the table but who asks")


def connect(service: Service, source: str = ATTACKER) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=30 * SLOWNESS, source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def begin(service: Service, source: str, n: int, sent: int, path: str = "/embed", fields: str = "") -> socket.socket:
    """An upload of n bytes of which `sent` are sent."""
    connection = connect(service, source)
    connection.sendall(HEAD.format(path=path, n=n, fields=fields).encode() + bytes(sent))
    return connection


def ask(service: Service, source: str, path: str = "/embed", fields: str = "", clip: bytes = CLIP) -> tuple[int, str, float]:
    """Status, problem and seconds of one request with a whole body."""
    start = time.monotonic()
    with connect(service, source) as connection:
        connection.sendall(HEAD.format(path=path, n=len(clip), fields=fields).encode() + clip)
        status, _, body = read_answer(connection, 60)
    return status, name_of(body), time.monotonic() - start


def name_of(body: bytes) -> str:
    return json.loads(body).get("type", "").removeprefix("urn:voiceprintd:problem:")


def judge_refusal(connection: socket.socket, what: str) -> None:
    status, headers, body = read_answer(connection)
    assert status == 429 and name_of(body) == "share-used-up" and what in json.loads(body)["detail"], body
    assert int(headers["retry-after"]) >= 1 and ATTACKER.encode() not in body
    assert headers["content-type"] == "application/problem+json"


def is_going_on(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return not connection.recv(1, socket.MSG_PEEK) and False
    except TimeoutError:
        return True


def buffered(service: Service) -> float:
    return service.metric("voiceprintd_upload_bytes_buffered")


def fill(service: Service, n: int = 16, fields: str = "") -> list[socket.socket]:
    """All memory for uploads, each one byte before its end."""
    hogs = [begin(service, ATTACKER, MIB, MIB - 1, fields=fields) for _ in range(n)]
    service.wait_for(lambda: buffered(service) >= 16 * MIB, 5 * SLOWNESS, "all memory taken")
    return hogs


def test_sixteen_uploads_that_stop_before_their_end(target: Service) -> None:
    hogs = fill(target)
    assert ask(target, ATTACKER)[:2] == (503, "overloaded-memory"), "nobody gives way to who has it all himself"
    status, _, seconds = ask(target, OTHER)
    print(f"the other was served after {1e3 * seconds:.0f} ms")
    assert status == 200 and seconds < 5 * SLOWNESS, "the hogs keep their memory for 29 s"
    assert [is_going_on(hog) for hog in hogs] == [True] * 15 + [False], "one had to go, the latest"
    judge_refusal(hogs[-1], "memory for uploads")
    assert target.metric("voiceprintd_rejected_total", reason="share-used-up") == 1
    hogs[0].sendall(b"\0")
    assert read_answer(hogs[0])[0] == 415, "zeros are no audio; who was left alone is answered"
    for hog in hogs:
        hog.close()
    target.wait_for(lambda: buffered(target) == 0, 5 * SLOWNESS, "nothing reserved")


def test_a_share_comes_back_with_each_request(target: Service) -> None:
    """Many times a share, one after the other: afterwards the client is still within it."""
    for _ in range(8):
        assert ask(target, OTHER)[0] == 200
        begin(target, OTHER, MIB, 100).close()
    target.wait_for(lambda: buffered(target) == 0, 5 * SLOWNESS, "the memory back")
    hogs = fill(target)
    assert ask(target, OTHER)[0] == 200
    for hog in hogs:
        hog.close()


def test_a_slow_upload_to_diarize(target: Service) -> None:
    with begin(target, ATTACKER, 8 * MIB, 4 * MIB, "/diarize") as slow:
        target.wait_for(lambda: buffered(target) >= 8 * MIB, 5 * SLOWNESS, "its memory")
        clip = voice(seconds=10)
        assert ask(target, ATTACKER, "/diarize", clip=clip)[:2] == (503, "overloaded-memory")
        status, _, seconds = ask(target, OTHER, "/diarize", clip=clip)
        print(f"the other was served after {1e3 * seconds:.0f} ms")
        assert status == 200 and seconds < SLOWNESS
        judge_refusal(slow, "memory for uploads")


def test_what_is_larger_than_a_share_takes_only_what_is_free(target: Service) -> None:
    with begin(target, ATTACKER, 6 * MIB, 100, "/diarize") as first:
        target.wait_for(lambda: buffered(target) >= 6 * MIB, 5 * SLOWNESS, "its memory")
        with begin(target, OTHER, 3 * MIB, 0, "/diarize") as second:
            status, _, body = read_answer(second)
            assert status == 503 and name_of(body) == "overloaded-memory"
            assert is_going_on(first), "else two such uploads would end each other for ever"


@pytest.mark.skipif(IS_SLOW, reason="wants a worker that is busy for some seconds")
def test_uploads_do_not_end_for_nothing() -> None:
    """Most of what one client has beyond its share is with a worker: the rest is less than somebody needs."""
    clip = voice(seconds=32)
    n_free = 16 * MIB - 4 * len(clip) - MIB
    with Service(workers=1, queue_size=8, model=LARGE, max_body_bytes="1MiB", max_buffered_bytes="16MiB", diarize_max_body_bytes="8MiB") as service:
        working = [connect(service) for _ in range(4)]
        for connection in working:
            connection.sendall(HEAD.format(path="/embed", n=len(clip), fields="").encode() + clip)
        service.wait_for(lambda: service.metric("voiceprintd_workers_busy") + service.metric("voiceprintd_queue_depth") == 4, 5, "four requests")
        upload = begin(service, ATTACKER, MIB, 100)
        quiet = [begin(service, f"127.0.0.{10 + i}", n_free // 3, 100, "/compare", FORM) for i in range(3)]
        service.wait_for(lambda: buffered(service) > 16 * MIB - 3, 3, "all memory taken")
        with begin(service, OTHER, 4 * MIB, 0, "/compare", FORM) as large:
            assert read_answer(large)[0] == 503
        assert buffered(service) > 16 * MIB - 3, "the test took too long"
        assert is_going_on(upload)
        with begin(service, OTHER, MIB, 0) as small:
            judge_refusal(upload, "memory for uploads")
            assert is_going_on(small)
        assert all(is_going_on(one) for one in quiet)
        for connection in [*working, upload, *quiet]:
            connection.close()


def keyed(key: str) -> str:
    return f"Authorization: Bearer {key}\r\n"


@pytest.mark.parametrize("source, key", [(ATTACKER, "other"), (OTHER, "flooder")], ids=["another key of one address", "another address of one key"])
def test_a_key_that_floods_the_queue(tmp_path: Path, source: str, key: str) -> None:
    keys = tmp_path / "keys"
    keys.write_text("flooder\nother\n")
    clip = busy_clip(20 if SLOWNESS == 1 else 120)
    with Service(workers=1, queue_size=4, model=LARGE, max_duration_s=200, api_keys_file=keys) as service:
        flood = []
        for n in range(5):  # the first is with the worker, the others wait
            flood.append(connect(service))
            flood[-1].sendall(HEAD.format(path="/embed", n=len(clip), fields=keyed("flooder")).encode() + clip)
            service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 1 and service.metric("voiceprintd_queue_depth") == n,
                             5 * SLOWNESS, f"{n} in the queue")
        assert ask(service, ATTACKER, fields=keyed("flooder"))[:2] == (503, "overloaded")
        assert ask(service, source, fields=keyed(key))[0] == 200
        judge_refusal(flood.pop(), "place in the queue")
        assert [read_answer(connection, 60)[0] for connection in flood] == [200] * 4
        assert "flooder" not in service.log() and "Bearer" not in service.log()


def test_one_client_alone_has_everything(target: Service) -> None:
    hogs = fill(target)
    assert target.metric("voiceprintd_rejected_total", reason="share-used-up") == 0
    for hog in hogs:
        assert is_going_on(hog)
        hog.sendall(b"\0")
        assert read_answer(hog)[0] == 415
        hog.close()


def test_without_shares() -> None:
    with Service(workers=1, max_body_bytes="1MiB", max_buffered_bytes="16MiB", client_share_percent=100) as service:
        hogs = fill(service)
        assert ask(service, OTHER)[:2] == (503, "overloaded-memory")
        for hog in hogs:
            hog.close()


# ---- for whom a proxy asks ---------------------------------------------------------------------


def test_a_forged_header_changes_nothing(target: Service) -> None:
    """Neither to escape one's own share nor to use up another's."""
    hogs = fill(target, fields=f"X-Forwarded-For: {OTHER}\r\nForwarded: for={OTHER}\r\n")
    for fields in ("X-Forwarded-For: 203.0.113.7\r\n", "Forwarded: for=203.0.113.7\r\n"):
        assert ask(target, ATTACKER, fields=fields)[:2] == (503, "overloaded-memory")
    assert ask(target, OTHER)[0] == 200
    for hog in hogs:
        hog.close()


def proxied(address: str) -> str:
    return f"X-Forwarded-For: {address}\r\n"


@pytest.mark.parametrize("header", [proxied, lambda address: f'Forwarded: by=10.0.0.1;for="[{address}]:4711"\r\n' if ":" in address
                                    else f"Forwarded: for={address}\r\n"], ids=["X-Forwarded-For", "Forwarded"])
def test_behind_a_proxy(header) -> None:
    options = {"workers": 1, "max_body_bytes": "1MiB", "max_buffered_bytes": "16MiB", "trusted_proxies": f"{ATTACKER}, 10.0.0.0/8"}
    with Service(**options) as service:
        hogs = fill(service, fields=header("203.0.113.7"))
        refused = (503, "overloaded-memory")
        assert ask(service, ATTACKER, fields=header("203.0.113.7"))[:2] == refused
        assert ask(service, ATTACKER, fields=header("198.51.100.1, 203.0.113.7") if header is proxied
                   else "Forwarded: for=198.51.100.1, for=203.0.113.7\r\n")[:2] == refused, "what stands to the left is forged"
        assert ask(service, ATTACKER, fields=header("203.0.113.7").rstrip() + (", 10.1.2.3\r\n" if header is proxied else ", for=10.1.2.3\r\n"))[:2] == refused
        assert ask(service, ATTACKER, fields=header("198.51.100.1"))[0] == 200
        for hog in hogs:
            hog.close()
        service.wait_for(lambda: buffered(service) == 0, 5 * SLOWNESS, "nothing reserved")
        hogs = fill(service, fields=header("2001:db8:0:1::7"))
        assert ask(service, ATTACKER, fields=header("2001:db8:0:1:ffff::8"))[:2] == refused, "a /64 is one client"
        assert ask(service, ATTACKER, fields=header("2001:db8:0:2::7"))[0] == 200
        assert "203.0.113" not in service.log() and "2001:db8" not in service.log()
        for hog in hogs:
            hog.close()


@pytest.mark.parametrize("fields", ["X-Forwarded-For: 203.0.113.7, nonsense\r\n", "X-Forwarded-For: unknown\r\n", "Forwarded: for=_hidden\r\n",
                                    "X-Forwarded-For: " + "1" * 20000 + "\r\n", 'Forwarded: for="203.0.113.7\r\n', "Forwarded: " + "for=1;" * 3000 + "\r\n",
                                    "X-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.8\r\n", "X-Forwarded-For:\r\nForwarded:\r\n", ""])
def test_headers_that_say_nothing(fields: str) -> None:
    """The proxy's own address counts, and that is no error."""
    with Service(workers=1, max_body_bytes="1MiB", max_buffered_bytes="16MiB", trusted_proxies="127.0.0.0/8") as service:
        hogs = fill(service)
        assert ask(service, ATTACKER, fields=fields)[:2] == (503, "overloaded-memory"), "as if there were no header"
        assert ask(service, OTHER, fields=fields)[0] == 200
        for hog in hogs:
            hog.close()


# ---- connections -------------------------------------------------------------------------------


def keep_open(service: Service, source: str, n: int) -> list[socket.socket]:
    """Connections that have had an answer and are kept for the next request."""
    kept = []
    for _ in range(n):
        connection = connect(service, source)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(connection)[0] == 200
        kept.append(connection)
    return kept


@pytest.mark.parametrize("proxies, who_stays", [("", OTHER), (ATTACKER, ATTACKER)], ids=["a client", "a proxy"])
def test_connections(proxies: str, who_stays: str) -> None:
    """Kept ones are as good as any, and the oldest go first, but for those of who has more than its share.
    A proxy has no share of connections: all its clients come by them."""
    with Service(workers=1, max_connections=64, trusted_proxies=proxies) as service:
        mine = keep_open(service, who_stays, 20 if proxies else 10)
        time.sleep(0.4)
        crowd = keep_open(service, OTHER if proxies else ATTACKER, 120)
        service.wait_for(lambda: service.metric("voiceprintd_connections") <= 66, 10 * SLOWNESS, "fewer connections")
        time.sleep(0.3)
        for connection in mine:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(connection)[0] == 200, "it was made to leave for one that has more"
        for connection in [*mine, *crowd]:
            connection.close()
        service.wait_for(lambda: service.metric("voiceprintd_clients") <= 1, 5 * SLOWNESS, "an empty table")


@pytest.mark.parametrize("source", [ATTACKER, OTHER], ids=["the probe's own address", "another address"])
def test_five_thousand_silent_connections(source: str) -> None:
    """More than there is room for, at once. A probe is served, and none is refused, wherever it comes from."""
    attackers.allow_descriptors(12_000)
    with Service(workers=1) as service:
        probe = attackers.Probe(service, 0.005)
        crowd = [connect(service, source) for _ in range(5000)]
        service.wait_for(lambda: service.metric("voiceprintd_connections") <= 512 + 4, 10 * SLOWNESS, "fewer connections")
        probe.stop().judge()
        # The system's work for so many sockets is in it, which costs three times as much beside another load.
        attackers.judge_turns(service)
        for connection in crowd:
            connection.close()


def test_who_leaves_a_crowd_is_noticed() -> None:
    """Of 2,500 in mid-request 500 send their last bytes and leave at once; ends are looked for in parts."""
    attackers.allow_descriptors(12_000)
    with Service(workers=1, max_connections=4000, header_timeout_s=120) as service:
        crowd = [connect(service) for _ in range(2500)]
        for connection in crowd:
            connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        for connection in crowd[::5]:
            connection.sendall(bytes(100))
            connection.close()
        service.wait_for(lambda: service.metric("voiceprintd_connections") <= 2001, 10 * SLOWNESS, "those have left")
        for connection in crowd:
            connection.close()


def test_what_is_no_network_is_refused() -> None:
    service = Service(wait=False, trusted_proxies="10.0.0.0/8, balancer")
    assert service.wait_end(20) != 0 and 'trusted_proxies: "balancer"' in service.log()
