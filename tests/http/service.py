"""Starts the real voiceprintd on a free loopback port and ends only what it started."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import socket
import struct
import subprocess
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import requests

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("VOICEPRINT_BUILD", ROOT / "build/release"))
EMULATOR = shlex.split(os.environ.get("EMULATOR", ""))  # for a build for another processor
IS_SLOW = BUILD.name in ("asan", "tsan", "coverage") or EMULATOR  # time limits are wider
SLOWNESS = 8.0 if IS_SLOW else 1.0
UNTRAINED = ROOT / "build/models/untrained.safetensors"
# A net that embeds in a few milliseconds: most tests are not about the network.
SMALL = ROOT / "tests/golden/models/small.safetensors"
# Where a worker must be busy for a while: the full-size net, or under ThreadSanitizer one that is as slow there.
LARGE = SMALL if BUILD.name in ("asan", "tsan") else UNTRAINED
# Nothing is waited for longer than this. Planted faults that make the service mute set it low: they are many.
PATIENCE_S = float(os.environ.get("PATIENCE_S", 60 * SLOWNESS))
START_DEADLINE_S = PATIENCE_S


def speech(seconds: float = 2.0, rate: int = 16000, seed: int = 0, pitch_hz: float | None = None) -> np.ndarray:
    """Something like a voice: a harmonic series with a moving pitch, in syllables, over faint noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    base = pitch_hz or 90 + 130 * rng.random()
    pitch = base * (1 + 0.08 * np.sin(2 * np.pi * 2.3 * t + seed))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    formants = 300 + 2500 * rng.random(3)
    voice = np.zeros_like(t)
    for k in range(1, int(min(30, rate / 2 / base))):
        gain = sum(np.exp(-(((k * base - f) / 200) ** 2)) for f in formants) + 0.02
        voice += gain * np.sin(k * phase)
    envelope = np.clip(np.sin(2 * np.pi * 3.1 * t + seed), 0, 1) ** 0.5
    voice *= envelope / (np.abs(voice).max() + 1e-9)
    return (0.4 * voice + 0.001 * rng.standard_normal(t.size)).astype(np.float32)


def wav(samples: np.ndarray, rate: int = 16000, channels: int = 1) -> bytes:
    """16-bit PCM WAV; samples are [n] or [n, channels]."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def wav_float(samples: np.ndarray, rate: int = 16000) -> bytes:
    """32-bit float WAV, so that NaN and infinity can be sent."""
    data = samples.astype("<f4").tobytes()
    fmt = struct.pack("<HHIIHH", 3, 1, rate, rate * 4, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def voice(seed: int = 0, seconds: float = 2.0) -> bytes:
    return wav(speech(seconds, seed=seed))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """One running voiceprintd. Options are configuration keys; stderr: a descriptor in place of the log file."""

    def __init__(self, *, wait: bool = True, listen_on: str = "127.0.0.1", env: dict[str, str] | None = None, stderr: int | None = None,
                 **options: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        options.setdefault("model", SMALL)
        options.setdefault("drain_delay_s", 0)
        options.setdefault("workers", 2)
        options.setdefault("allowed_hosts", "*")  # raw requests of the tests name any host
        # A test of a deadline sets its own; in the others a slow machine must not meet one.
        options.setdefault("queue_timeout_ms", 60_000)
        options.setdefault("request_timeout_s", 120)
        options.setdefault("drain_timeout_s", 120)
        if os.environ.get("EMULATOR"):
            options.setdefault("decoder", "inline")  # qemu-user lets no process seal itself
        command = [*EMULATOR, str(BUILD / "voiceprintd"), "--listen", f"{listen_on}:{self.port}"]
        for key, value in options.items():
            command += ["--" + key.replace("_", "-"), str(value)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "VOICEPRINTD_"))}
        self.log_file = tempfile.NamedTemporaryFile(prefix="voiceprintd-", suffix=".log")
        self.process = subprocess.Popen(command, stdout=self.log_file,
                                        stderr=self.log_file if stderr is None else stderr,
                                        env={**environment, **(env or {})}, cwd=ROOT)
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.kill()
                raise

    def wait_ready(self) -> None:
        self.wait_for(lambda: self.get("/readyz").status_code == 200, START_DEADLINE_S, "/readyz")

    def wait_for(self, condition: Any, deadline_s: float, what: str) -> None:
        deadline_s = min(deadline_s, PATIENCE_S)
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the service ended with {self.process.returncode}:\n{self.log()}")
            try:
                if condition():
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"{what} did not come true in {deadline_s} s:\n{self.log()}")

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=min(30 * SLOWNESS, PATIENCE_S), **kwargs)

    def post(self, path: str, **kwargs: Any) -> requests.Response:
        return requests.post(self.url + path, timeout=PATIENCE_S, **kwargs)

    def embed(self, audio: bytes, query: str = "") -> requests.Response:
        return self.post("/embed" + query, data=audio, headers={"Content-Type": "audio/wav"})

    def compare(self, a: list[bytes], b: list[bytes], query: str = "") -> requests.Response:
        files = [("a", ("1.wav", clip, "audio/wav")) for clip in a]
        files += [("b", ("2.wav", clip, "audio/wav")) for clip in b]
        return self.post("/compare" + query, files=files)

    def metric(self, name: str, **labels: str) -> float:
        """The value of one sample of /metrics; 0 when it is not there."""
        wanted = {f'{k}="{v}"' for k, v in labels.items()}
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(("#", " ")) or not line.startswith(name):
                continue
            series, value = line.rsplit(" ", 1)
            if series.split("{")[0] == name and all(label in series for label in wanted):
                return float(value)
        return 0.0

    def raw(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=min(30 * SLOWNESS, PATIENCE_S))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def exchange(self, request: bytes, timeout_s: float = 10.0) -> bytes:
        """Sends bytes and reads until the server closes or is silent for timeout_s."""
        with self.raw() as connection:
            connection.sendall(request)
            return read_all(connection, timeout_s * SLOWNESS)

    def resident_bytes(self) -> int:
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def open_fds(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def log(self) -> str:
        with open(self.log_file.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log_lines(self, message: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("msg") == message]

    def log_line(self, request_id: str) -> dict[str, Any]:
        """The access line of a request; it is written just after the answer."""
        def found() -> list[dict[str, Any]]:
            return [line for line in self.log_lines("request") if line["request_id"] == request_id]
        self.wait_for(found, 10 * SLOWNESS, f"the line of {request_id}")
        return found()[0]

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, deadline_s: float = 40.0) -> int:
        """Asks the service to end and returns its exit status."""
        if self.process.poll() is None:
            self.send_signal(number)
        return self.wait_end(deadline_s)

    def wait_end(self, deadline_s: float = 40.0) -> int:
        """Waits for a service that was asked to end already."""
        try:
            return self.process.wait(min(deadline_s * SLOWNESS, PATIENCE_S))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end {deadline_s} s after the signal:\n{self.log()}") from None

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self.kill()
            return
        status = self.stop()
        log = self.log()
        assert "Sanitizer" not in log and "broken invariant" not in log, log
        assert status in (0, 1), f"exit status {status}:\n{log}"


def read_all(connection: socket.socket, timeout_s: float) -> bytes:
    connection.settimeout(timeout_s)
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except (TimeoutError, ConnectionResetError):
        pass
    return answer


def read_answer(connection: socket.socket, timeout_s: float = 20.0) -> tuple[int, dict[str, str], bytes]:
    """One response with a Content-Length: status, headers in lower case, body."""
    connection.settimeout(timeout_s * SLOWNESS)
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError(f"closed in the head: {data[:200]!r}")
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
    while len(body) < int(headers.get("content-length", "0")):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed in the body")
        body += piece
    return int(lines[0].split()[1]), headers, body


def problem(response: requests.Response) -> str:
    """The name of the problem, after checking that it is one in full."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    body = response.json()
    assert body["status"] == response.status_code
    assert body["instance"] == "urn:voiceprintd:request:" + response.headers["X-Request-Id"]
    assert body["title"] and body["detail"]
    assert body["type"].startswith("urn:voiceprintd:problem:")
    return body["type"].removeprefix("urn:voiceprintd:problem:")


def busy_clip(seconds: float = 120.0) -> bytes:
    """A clip that keeps a worker with the full-size net busy for half a second or more, on any machine.

    It wants a service with max_duration_s=200."""
    return voice(7, seconds)


def send_embed(service: Service, clip: bytes, request_id: str = "test") -> socket.socket:
    """Sends a whole request and does not wait for the answer."""
    connection = service.raw()
    connection.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n"
                       % (request_id.encode(), len(clip)) + clip)
    return connection
