"""What attackers and watchers of the siege share."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time

import pytest
from service import IS_SLOW, SLOWNESS, Service, read_answer

IS_LONG = os.environ.get("SIEGE") == "long"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def thread_seconds(service: Service, thread: int) -> float:
    with open(f"/proc/{service.process.pid}/task/{thread}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def cpu_seconds(service: Service) -> float:
    """CPU time of the service's first thread, the loop."""
    return thread_seconds(service, service.process.pid)


def worker_seconds(service: Service) -> float:
    """CPU time of all its other threads."""
    pid = service.process.pid
    return sum(thread_seconds(service, int(thread)) for thread in os.listdir(f"/proc/{pid}/task") if int(thread) != pid)


def allow_descriptors(n: int) -> None:
    """For this process; what it has started keeps its own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n:
        pytest.skip(f"left out: {hard} open files at most here, {n} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n), hard))


def is_closed(connection: socket.socket, within_s: float) -> bool:
    """Reads until the end, or gives up."""
    connection.settimeout(within_s)
    end = time.monotonic() + within_s
    try:
        while time.monotonic() < end:
            if not connection.recv(65536):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def judge_turns(service: Service, most_s: float = 0.02 if IS_LONG else 0.05) -> None:
    """No turn of the loop is long: while it works nobody is served. 20 ms are asked of a quiet machine, by
    `make siege`; beside other programs the same work takes twice the CPU time."""
    longest_s = service.metric("voiceprintd_loop_turn_longest_seconds")
    print(f"longest turn of the loop: {1e3 * longest_s:.1f} ms")
    assert 0 < longest_s < most_s or IS_SLOW, longest_s


class Probe(threading.Thread):
    """Asks /livez on a new connection each time, as an orchestrator does, until told to stop."""

    def __init__(self, service: Service, pause_s: float = 0.02) -> None:
        super().__init__(daemon=True)
        self.service, self.pause_s = service, pause_s
        self.times_s: list[float] = []
        self.failures: list[str] = []
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.is_set():
            start = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self.service.port), timeout=15) as connection:
                    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    status = read_answer(connection, 15)[0]
                if status != 200:
                    self.failures.append(f"status {status}")
            except OSError as error:
                self.failures.append(repr(error))
            self.times_s.append(time.monotonic() - start)
            self.over.wait(self.pause_s)

    def stop(self) -> "Probe":
        self.over.set()
        self.join(30)
        return self

    def percentile(self, share: float) -> float:
        times = sorted(self.times_s)
        return times[min(len(times) - 1, int(share * len(times)))]

    def judge(self) -> None:
        """Every probe was answered, none late. 50 ms is asked of a quiet machine only, by `make siege`: a probe
        here shares its processor with the attackers, and often with other tests."""
        print(self)
        assert not self.failures and self.times_s, self
        assert max(self.times_s) < 1.5 * SLOWNESS, self
        assert not IS_LONG or self.percentile(0.99) < 0.05 * SLOWNESS, self

    def __repr__(self) -> str:
        return (f"{len(self.times_s)} probes: median {1e3 * self.percentile(0.5):.1f} ms, p99 "
                f"{1e3 * self.percentile(0.99):.1f} ms, worst {1e3 * max(self.times_s):.1f} ms, {len(self.failures)} failed")
