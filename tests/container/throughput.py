#!/usr/bin/env python3
"""Requests a second of 1, 2 and 3 replicas behind haproxy, and what one request costs."""

from __future__ import annotations

import argparse
import re
import sys
import time

import podman
from balancer import Haproxy, free_port
from load import Load, embed, speechlike_wav


def cpu_s(replica: podman.Replica) -> float:
    _, metrics = replica.get("/metrics")
    return float(re.search(r"^process_cpu_seconds_total (\S+)", metrics, re.M)[1])


def measure(count: int, clip: bytes, seconds: float) -> tuple[float, ...]:
    """Requests/s, p50 and p99 in ms, CPU-ms a request in the replicas and in haproxy."""
    replicas = [podman.Replica(f"voiceprintd-{i}", free_port(), settings={"DRAIN_DELAY_S": "0"})
                for i in range(1, count + 1)]
    try:
        for replica in replicas:
            replica.create()
        for replica in replicas:
            replica.wait_ready()
        expected = embed(replicas[0].address, clip)[1]
        absent = [podman.Replica(f"absent-{i}", free_port()) for i in range(count, 3)]
        with Haproxy(replicas + absent) as haproxy:
            for i in range(1, count + 1):
                haproxy.wait_status(i, "UP")
            for i in range(count + 1, 4):
                haproxy.wait_status(i, "DOWN")
            before, before_haproxy = sum(map(cpu_s, replicas)), haproxy.cpu_s()
            with Load(haproxy.address, clip, expected, clients=2 * count, pause_s=0) as load:
                time.sleep(seconds)
            used, used_haproxy = sum(map(cpu_s, replicas)) - before, haproxy.cpu_s() - before_haproxy
        if load.failures:
            raise SystemExit(f"{len(load.failures)} requests failed: {load.failures[0]}")
        n = len(load.samples)
        elapsed = max(sample.at_s for sample in load.samples)
        return (n / elapsed, load.percentile(50) * 1e3, load.percentile(99) * 1e3,
                used / n * 1e3, used_haproxy / n * 1e3)
    finally:
        for replica in replicas:
            replica.remove()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="length of each run")
    parser.add_argument("--clip", type=float, default=3, help="length of the clip in seconds")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 3], choices=[1, 2, 3])
    parser.add_argument("--price", type=float, default=0.04, help="of one core for an hour")
    args = parser.parse_args()

    clip = speechlike_wav(args.clip)
    print(f"{args.clip:g} s clips, one worker a replica, two clients a replica; "
          f"a core at {args.price:g} an hour")
    print("| replicas | requests/s | p50 ms | p99 ms | CPU ms a request | of haproxy | a million cost |")
    print("|---|---|---|---|---|---|---|")
    for count in args.replicas:
        rate, p50, p99, own, balancer = measure(count, clip, args.seconds)
        cost = (own + balancer) / 1e3 / 3600 * args.price * 1e6
        print(f"| {count} | {rate:.1f} | {p50:.0f} | {p99:.0f} | {own:.1f} | {balancer:.2f} | {cost:.2f} |",
              flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
