#!/usr/bin/env python3
"""Overload: 5x capacity for a minute against one service on loopback, with figures.

Opens IDLE connections that say nothing and come back whenever they are closed, and keeps them all
along. Finds the capacity, then offers five times as many requests a second for SECONDS, with probes
beside them, then measures how soon the full rate is back. Prints one JSON line and ends with 1 when a
bound is broken: refusals and probes within 50 ms at p99, accepted requests right and within their deadline,
memory within 5 %, full goodput within 2 s after the flood.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import sys
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from service import UNTRAINED, Service, read_answer, voice  # noqa: E402


class Client(threading.Thread):
    """Sends one request after another on kept connections, at its own pace, until told to stop."""

    def __init__(self, service: Service, request: bytes, interval_s: float, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.service, self.request, self.interval_s, self.stop_event = service, request, interval_s, stop
        self.times: list[tuple[float, int, float]] = []  # when it ended, status, seconds
        self.wrong = 0
        self.expected: list[float] | None = None

    def run(self) -> None:
        connection = None
        due = time.monotonic()
        while not self.stop_event.is_set():
            due = max(due + self.interval_s, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))
            start = time.monotonic()
            try:
                connection = connection or self.service.raw()
                start = time.monotonic()
                connection.sendall(self.request)
                status, headers, body = read_answer(connection)
                if status == 200 and self.expected is not None and json.loads(body)["embedding"] != self.expected:
                    self.wrong += 1
                if headers.get("connection") == "close":
                    connection.close()
                    connection = None
            except OSError:
                status, connection = 0, None
            self.times.append((time.monotonic(), status, time.monotonic() - start))


class IdleConnections(threading.Thread):
    """Keeps n connections open that never send anything; a closed one comes back, 200 a second at most."""

    def __init__(self, service: Service, n: int) -> None:
        super().__init__(daemon=True)
        self.service, self.n, self.opened, self.stop_event = service, n, 0, threading.Event()

    def run(self) -> None:
        with selectors.DefaultSelector() as open_ones:
            while not self.stop_event.is_set():
                for key, _ in open_ones.select(0):
                    open_ones.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
                for _ in range(min(10, self.n - len(open_ones.get_map()))):
                    try:
                        connection = self.service.raw()
                    except OSError:
                        break
                    open_ones.register(connection, selectors.EVENT_READ)
                    self.opened += 1
                time.sleep(0.05)
            for key in list(open_ones.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]


def run_clients(service: Service, requests: list[tuple[bytes, float]], seconds: float, expected: list[float]) -> list[Client]:
    stop = threading.Event()
    clients = [Client(service, request, interval, stop) for request, interval in requests]
    for client in clients:
        client.expected = expected if b"/embed" in client.request else None
        client.start()
    time.sleep(seconds)
    stop.set()
    for client in clients:
        client.join(30)
    return clients


def p99_ms(seconds: list[float]) -> float:
    return round(1000 * float(np.percentile(seconds, 99)), 1) if seconds else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="length of the flood")
    parser.add_argument("--idle", type=int, default=2000, help="connections that say nothing")
    parser.add_argument("--clip", type=float, default=3, help="seconds of speech in each request")
    args = parser.parse_args()
    workers = max(1, (os.cpu_count() or 1) - 1)  # a core is left to the loop and to this program
    clip = voice(1, args.clip)
    embed = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(clip) + clip
    livez, readyz = (b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"/livez", b"/readyz"))
    with Service(model=UNTRAINED, workers=workers, queue_size=4 * workers, log_level="error") as service:
        expected = service.embed(clip).json()["embedding"]
        idle = IdleConnections(service, args.idle)
        idle.start()
        service.wait_for(lambda: idle.opened >= args.idle, 60, "idle connections")
        calm = run_clients(service, [(embed, 0.0)] * (2 * workers), min(10, args.seconds), expected)
        capacity = sum(status == 200 for c in calm for _, status, _ in c.times) / min(10, args.seconds)
        memory = service.resident_bytes()
        n_clients = 20 + 5 * workers
        print(f"capacity {capacity:.1f}/s with {workers} worker(s); offering {5 * capacity:.0f}/s for {args.seconds:.0f} s", flush=True)
        flood = run_clients(service, [(embed, n_clients / (5 * capacity))] * n_clients + [(livez, 0.05), (readyz, 0.05)],
                            args.seconds, expected)
        after = run_clients(service, [(embed, 0.0)] * (2 * workers), 4, expected)
        settled = time.monotonic() - 4
        memory_after = service.resident_bytes()
        grown = memory_after / memory - 1
        idle.stop_event.set()
        idle.join(30)
        answers = [t for c in flood[:-2] for t in c.times]
        probes = [t for c in flood[-2:] for t in c.times]
        second = [sum(status == 200 and settled + i <= end < settled + i + 1 for c in after for end, status, _ in c.times) for i in range(4)]
        figures = {
            "workers": workers, "clip_s": args.clip, "capacity_per_s": round(capacity, 1), "offered": len(answers),
            "offered_per_s": round(len(answers) / args.seconds, 1), "served": sum(s == 200 for _, s, _ in answers),
            "refused": sum(s == 503 for _, s, _ in answers), "other": sum(s not in (200, 503) for _, s, _ in answers),
            "wrong": sum(c.wrong for c in flood), "refusal_p99_ms": p99_ms([t for _, s, t in answers if s == 503]),
            "served_p99_ms": p99_ms([t for _, s, t in answers if s == 200]), "probe_p99_ms": p99_ms([t for _, _, t in probes]),
            "probes_failed": sum(s != 200 for _, s, _ in probes), "memory_mib": [round(memory / 2**20, 1), round(memory_after / 2**20, 1)], "memory_growth_percent": round(100 * grown, 2),
            "idle_connections_opened": idle.opened,
            "goodput_after_per_s": second,
        }
    print(json.dumps(figures))
    broken = [name for name, bad in {
        "refusal_p99_ms": figures["refusal_p99_ms"] > 50, "probe_p99_ms": figures["probe_p99_ms"] > 50, "wrong": figures["wrong"] > 0,
        "other": figures["other"] > 0, "probes_failed": figures["probes_failed"] > 0, "memory_growth_percent": grown > 0.05,
        "served_p99_ms": figures["served_p99_ms"] > 30_000, "refused": figures["refused"] == 0,
        "goodput_after_per_s": max(second[1:3]) < 0.8 * capacity}.items() if bad]
    print("overload: " + ("every bound holds" if not broken else "BROKEN: " + ", ".join(broken)))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
