"""The memory that docs/sizing.md promises is enough, with every buffer full."""

from __future__ import annotations

import http.client
import re
import threading

from balancer import free_port
from load import embed, speechlike_wav
from podman import ROOT, Replica

WORKERS = 2
UPLOADS_MIB = 256  # max_buffered_bytes, its default
SPARE_MIB = 64


def documented_mib(workers: int, uploads_mib: int) -> int:
    """The formula of docs/sizing.md: `memory = A MiB + B MiB x workers + max_buffered_bytes`."""
    text = (ROOT / "docs/sizing.md").read_text()
    found = re.search(r"memory = (\d+) MiB \+ (\d+) MiB x workers \+ max_buffered_bytes", text)
    assert found, "docs/sizing.md states no formula"
    return int(found[1]) + int(found[2]) * workers + uploads_mib


def test_documented_memory_is_enough():
    limit = documented_mib(WORKERS, UPLOADS_MIB) + SPARE_MIB
    replica = Replica("voiceprintd-memory", free_port(), memory_mib=limit,
                      settings={"WORKERS": str(WORKERS), "REQUEST_TIMEOUT_S": "60",
                                "QUEUE_TIMEOUT_MS": "60000"})
    replica.create()
    held: list[http.client.HTTPConnection] = []
    try:
        replica.wait_ready()
        longest = speechlike_wav(59.9, rate=44100, channels=2)  # 10.6 MB
        # Uploads that stop short of their end hold their buffers: 16 x 12 MiB, and the clips below.
        for _ in range(16):
            client = http.client.HTTPConnection(replica.address, timeout=60)
            client.putrequest("POST", "/embed")
            client.putheader("Content-Length", str(12 << 20))
            client.endheaders()
            client.send(bytes((12 << 20) - 1))
            held.append(client)
        statuses: list[int] = []

        def run() -> None:
            for _ in range(2):
                statuses.append(embed(replica.address, longest)[0])

        threads = [threading.Thread(target=run, daemon=True) for _ in range(2 * WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        state = replica.state()
        _, metrics = replica.get("/metrics")
        resident = float(re.search(r"^process_resident_memory_bytes (\S+)", metrics, re.M)[1]) / 2**20
        print(f"memory: {resident:.0f} MiB resident under a limit of {limit} MiB")
        assert state["Running"] and not state["OOMKilled"], state
        assert statuses.count(200) >= 2 * WORKERS and set(statuses) <= {200, 503}, statuses
        assert resident > UPLOADS_MIB / 2, "the buffers were not filled"
    finally:
        for client in held:
            client.close()
        replica.remove()
