"""What the tests of /diarize share: recordings of two voices, and how they are sent."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import requests
from service import BUILD, SLOWNESS, Service, speech, wav

NDJSON = {"Accept": "application/x-ndjson"}


def two_voices(turn_s: float = 4.0) -> np.ndarray:
    return np.concatenate([speech(turn_s, seed=1, pitch_hz=95), np.zeros(8000, np.float32), speech(turn_s, seed=2, pitch_hz=230),
                           speech(turn_s, seed=1, pitch_hz=95)])


CALL = wav(two_voices())
# ThreadSanitizer makes ten times more of the work.
IS_TSAN = BUILD.name == "tsan"
# Enough for seconds of work, in few bytes to send.
LONG = wav(np.tile(two_voices()[::2], 4 if IS_TSAN else 25), rate=8000)
IN_SLICES = wav(np.tile(two_voices()[::2], 4 if IS_TSAN else 8), rate=8000)  # for who waits for its end


def timeless(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in ("timing_ms", "request_id")}


def diarize(service: Service, audio: bytes = CALL, query: str = "", **kwargs: Any) -> requests.Response:
    return service.post("/diarize" + query, data=audio, **kwargs)


def send(service: Service, audio: bytes = LONG, request_id: str = "test", version: str = "1.1", accept: str = "*/*") -> socket.socket:
    """Sends a whole request and does not wait for the answer."""
    connection = service.raw()
    connection.sendall(f"POST /diarize HTTP/{version}\r\nHost: x\r\nX-Request-Id: {request_id}\r\nAccept: {accept}\r\n"
                       "Connection: close\r\n"
                       f"Content-Length: {len(audio)}\r\n\r\n".encode() + audio)
    return connection


def under_way(service: Service) -> float:
    return service.metric("voiceprintd_diarizations")


def wait_under_way(service: Service, n: int) -> None:
    service.wait_for(lambda: under_way(service) == n, 20 * SLOWNESS, f"{n} diarizations")
