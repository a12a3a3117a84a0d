"""Three replicas behind haproxy and nginx: what restarts, kills and hangs cost the clients.

Every load compares each embedding with the right one; a failure is anything but that embedding.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from balancer import Haproxy, Nginx, Prometheus, free_port
from load import Load, embed, speechlike_wav
from podman import SCRATCH, Replica

ROUNDS = 5


def restart_each(replicas: list[Replica], haproxy: Haproxy, stop: Callable[[Replica], object]) -> None:
    """One round: each replica in turn is ended by `stop`, started, and awaited by the balancer."""
    for i, replica in enumerate(replicas, 1):
        stop(replica)
        replica.start()
        replica.wait_ready()
        # Two must serve while one is away: the next may go only when this one is back.
        haproxy.wait_status(i, "UP")


def report(name: str, load: Load) -> None:
    print(f"{name}: {len(load.samples)} requests, {len(load.failures)} failed, "
          f"p50 {load.percentile(50) * 1e3:.0f} ms, p99 {load.percentile(99) * 1e3:.0f} ms")


def test_rolling_restart_loses_nothing(replicas, haproxy: Haproxy, nginx: Nginx, clip, expected):
    def drain(replica: Replica) -> None:
        assert replica.stop() == 0, f"requests were cut: {replica.logs()[-2000:]}"

    with Load(haproxy.address, clip, expected) as first, Load(nginx.address, clip, expected) as second:
        for _ in range(ROUNDS):
            restart_each(replicas, haproxy, drain)
    report("rolling restart behind haproxy", first)
    report("rolling restart behind nginx", second)
    assert first.failures == [] and second.failures == []
    assert min(len(first.samples), len(second.samples)) > 20 * ROUNDS
    assert all(int(haproxy.replica(i)["stot"]) > 0 for i in (1, 2, 3))


def test_control_sigkill_does_lose_requests(replicas, haproxy: Haproxy, clip, expected):
    """The same load and the same rounds with SIGKILL: were this clean, the test above is blind."""
    with Load(haproxy.address, clip, expected, clients=6, pause_s=0) as load:
        for _ in range(3):
            restart_each(replicas, haproxy, lambda replica: replica.kill("KILL"))
            if load.failures:
                break
    report("control: SIGKILL behind haproxy", load)
    assert load.failures


@contextmanager
def kept_full(replica: Replica) -> Iterator[None]:
    """Long clips fill the only worker and the only place in the queue, again and again."""
    ended = threading.Event()
    long_clip = speechlike_wav(30)

    def run() -> None:
        while not ended.wait(0.02):
            with suppress(OSError):  # a refusal may come, and close, before the clip is sent
                embed(replica.address, long_clip)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(40)


def test_refusal_is_tried_on_another_replica(replicas, haproxy: Haproxy, clip, expected):
    """A replica with a full queue stays ready and refuses; behind the balancer nobody notices."""
    full = Replica("voiceprintd-full", free_port(), settings={"QUEUE_SIZE": "1"})
    full.create()
    full.wait_ready()
    try:
        with Haproxy([full, replicas[1], replicas[2]]) as balancer, kept_full(full):
            for i in (1, 2, 3):
                balancer.wait_status(i, "UP")
            deadline = time.monotonic() + 20
            while embed(full.address, clip)[0] != 503:
                assert time.monotonic() < deadline, "the replica never refused"
                # A clip sent on the heels of the last would itself keep the place in the queue.
                time.sleep(0.2)
            for _ in range(20):
                assert embed(balancer.address, clip) == (200, expected)
            assert int(balancer.replica(1)["wredis"]) > 0, "no request met the full replica"
    finally:
        full.remove()


def test_half_sent_upload_is_never_repeated(replicas, haproxy: Haproxy, clip):
    """An upload larger than the balancer's buffer, whose replica dies under it: one error, no more
    than one replica has seen it."""
    before = [int(haproxy.replica(i)["stot"]) for i in (1, 2, 3)]
    client = http.client.HTTPConnection(haproxy.address, timeout=15)
    client.putrequest("POST", "/embed")
    client.putheader("Content-Length", str(4 << 20))
    client.endheaders()
    client.send(clip[:44] + bytes((1 << 20) - 44))  # four buffers: it is on its way to a replica
    deadline = time.monotonic() + 5
    while True:
        holders = [i for i in (1, 2, 3) if int(haproxy.replica(i)["scur"]) > 0]
        if holders:
            break
        assert time.monotonic() < deadline, "the upload reached no replica"
        time.sleep(0.05)
    replicas[holders[0] - 1].kill("KILL")
    try:
        client.send(bytes(1 << 20))
        status = client.getresponse().status
    except (OSError, http.client.HTTPException):
        status = 0
    client.close()
    after = [int(haproxy.replica(i)["stot"]) for i in (1, 2, 3)]
    replicas[holders[0] - 1].start()
    replicas[holders[0] - 1].wait_ready()
    haproxy.wait_status(holders[0], "UP")
    assert status in (0, 502, 503)
    assert sum(after) - sum(before) == 1


def test_frozen_replica_costs_only_its_own_requests(replicas, haproxy: Haproxy, clip, expected):
    frozen = replicas[0]
    with Load(haproxy.address, clip, expected, clients=4) as load:
        time.sleep(1)
        frozen.kill("STOP")
        try:
            haproxy.wait_status(1, "DOWN", 5)
            own = int(haproxy.replica(1)["scur"])
            out_s = time.monotonic() - load.begin
            time.sleep(3)
            assert int(haproxy.replica(1)["scur"]) <= own, "a frozen replica was given more"
            served = [s for s in load.samples if s.at_s > out_s and not s.failure]
            assert len(served) > 10, "the others did not go on"
        finally:
            frozen.kill("CONT")
        haproxy.wait_status(1, "UP")
        time.sleep(1)
    report(f"one replica frozen, {own} requests in it", load)
    assert len(load.failures) <= own, load.failures


def test_out_of_memory_kill_of_one_replica_spares_the_others(replicas, haproxy: Haproxy, clip,
                                                             expected):
    """An upload far over its memory limit kills one replica; only what it held is lost."""
    victim = Replica("voiceprintd-victim", free_port(), memory_mib=512,
                     settings={"MAX_BODY_BYTES": "1GiB", "MAX_BUFFERED_BYTES": "2GiB"})
    oom_note = SCRATCH / "oom"
    oom_note.unlink(missing_ok=True)
    victim.create()
    victim.wait_ready()
    try:
        with Haproxy([victim, replicas[1], replicas[2]]) as balancer:
            for i in (1, 2, 3):
                balancer.wait_status(i, "UP")
            with Load(balancer.address, clip, expected) as load:
                time.sleep(1)
                overfill(victim)
                balancer.wait_status(1, "DOWN", 5)
                time.sleep(1)
            own, *others = (lost(balancer.replica(i)) for i in (1, 2, 3))
        state = victim.state()
        report(f"one replica killed for memory, {own} requests in it", load)
        assert state["ExitCode"] == 137 and (state["OOMKilled"] or oom_note.exists()), state
        assert others == [0, 0] and len(load.failures) <= own, load.failures
        victim.start()
        victim.wait_ready()
        assert embed(victim.address, clip) == (200, expected)
    finally:
        victim.remove()


def lost(row: dict[str, str]) -> int:
    """Requests that went to a replica and were neither answered well nor passed on to another."""
    return int(row["stot"]) - int(row["hrsp_2xx"]) - int(row["wredis"])


def overfill(victim: Replica) -> None:
    """Sends up to 800 MiB to the replica itself; it must die on the way."""
    client = http.client.HTTPConnection(victim.address, timeout=20)
    client.putrequest("POST", "/embed")
    client.putheader("Content-Length", str(800 << 20))
    client.endheaders()
    with pytest.raises((OSError, http.client.HTTPException)):
        for _ in range(800):
            client.send(bytes(1 << 20))
        client.getresponse()
    client.close()


def test_prometheus_scrapes_every_replica(replicas, haproxy: Haproxy):
    with Prometheus(replicas, haproxy) as prometheus:
        deadline = time.monotonic() + 20
        while True:
            states = prometheus.get("/api/v1/query?query=up")
            if states.count('"1"]') == 4:
                break
            assert time.monotonic() < deadline, states
            time.sleep(0.5)
