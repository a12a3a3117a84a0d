"""A bounded load of POST /embed: a few clients, each answer compared with the right one."""

from __future__ import annotations

import base64
import http.client
import io
import json
import threading
import time
import wave
from dataclasses import dataclass

import numpy as np

REQUEST_TIMEOUT_S = 40


def speechlike_wav(duration_s: float, rate: int = 16000, channels: int = 1) -> bytes:
    """Noise in syllables over a buzz: no voice, but neither silence nor a constant."""
    t = np.arange(int(duration_s * rate)) / rate
    noise = np.random.default_rng(1).normal(0, 0.3, len(t))
    envelope = 0.15 + np.abs(np.sin(np.pi * 3.7 * t))
    signal = 6000 * envelope * (noise + np.sin(2 * np.pi * 140 * t))
    samples = np.clip(signal, -32768, 32767).astype("<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, channels).tobytes())
    return out.getvalue()


def embed(address: str, clip: bytes, connection: http.client.HTTPConnection | None = None,
          ) -> tuple[int, bytes]:
    """One request; status and embedding (float32 bytes), or status and problem document."""
    client = connection or http.client.HTTPConnection(address, timeout=REQUEST_TIMEOUT_S)
    client.request("POST", "/embed?encoding=base64", clip, {"Content-Type": "audio/wav"})
    reply = client.getresponse()
    body = reply.read()
    if connection is None or reply.will_close:
        client.close()
    return reply.status, base64.b64decode(json.loads(body)["embedding"]) if reply.status == 200 else body


@dataclass
class Sample:
    at_s: float        # when it ended, from the start of the load
    latency_s: float
    failure: str       # empty: the right embedding came back


class Load:
    """Clients that send one request after another for as long as the block lasts."""

    def __init__(self, address: str, clip: bytes, expected: bytes, clients: int = 3,
                 pause_s: float = 0.01) -> None:
        self.address, self.clip, self.expected, self.pause_s = address, clip, expected, pause_s
        self.samples: list[Sample] = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]

    def run(self) -> None:
        client = http.client.HTTPConnection(self.address, timeout=REQUEST_TIMEOUT_S)
        while not self.ended.is_set():
            begin = time.monotonic()
            try:
                status, answer = embed(self.address, self.clip, client)
                failure = "" if status == 200 and answer == self.expected else \
                    "wrong embedding" if status == 200 else f"{status} {answer[:200]!r}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                failure = f"{type(error).__name__}: {error}"
                client.close()
            now = time.monotonic()
            self.samples.append(Sample(now - self.begin, now - begin, failure))
            self.ended.wait(self.pause_s)
        client.close()

    def __enter__(self) -> Load:
        self.begin = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(REQUEST_TIMEOUT_S + 5)

    @property
    def failures(self) -> list[str]:
        return [sample.failure for sample in self.samples if sample.failure]

    def percentile(self, p: float) -> float:
        """Latency in seconds, over the answered requests."""
        ordered = sorted(s.latency_s for s in self.samples if not s.failure)
        return ordered[min(len(ordered) - 1, int(p / 100 * len(ordered)))]
