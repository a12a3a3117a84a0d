"""The client examples do what they say, against the real service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from service import ROOT, Service, voice

EXAMPLES = ROOT / "examples"
CLIENTS = {
    "curl": [str(EXAMPLES / "compare.sh")],
    "python": [sys.executable, str(EXAMPLES / "voiceprint.py")],
    "javascript": ["node", str(EXAMPLES / "voiceprint.mjs")],
}
KEY = "a-key-of-the-examples-0123456789"


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    if request.param == "javascript" and shutil.which("node") is None:
        pytest.skip("left out: the JavaScript example; node is not installed")
    return request.param


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Path, Path]:
    files = tmp_path / "a.wav", tmp_path / "b.wav"
    for seed, file in enumerate(files):
        file.write_bytes(voice(seed))
    return files


def call(client: str, url: str, command: str, *files: Path,
         key: str = "") -> subprocess.CompletedProcess[str]:
    line = [*CLIENTS[client], *([] if client == "curl" else [command]), *map(str, files)]
    env = {**os.environ, "VOICEPRINTD_URL": url, "VOICEPRINTD_KEY": key}
    return subprocess.run(line, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_compare(service: Service, client: str, clips: tuple[Path, Path]) -> None:
    done = call(client, service.url, "compare", *clips)
    assert done.returncode == 0, done.stderr
    expected = service.compare([clips[0].read_bytes()], [clips[1].read_bytes()]).json()
    assert json.loads(done.stdout)["score"] == pytest.approx(expected["score"], abs=1e-6)


def test_stored_then_compared(service: Service, client: str, clips: tuple[Path, Path],
                              tmp_path: Path) -> None:
    stored = tmp_path / "a.json"
    if client == "curl":
        stored.write_text(service.embed(clips[0].read_bytes()).text)
    else:
        done = call(client, service.url, "embed", clips[0])
        assert done.returncode == 0, done.stderr
        stored.write_text(done.stdout)
    done = call(client, service.url, "compare", stored, clips[1])
    assert done.returncode == 0, done.stderr
    expected = service.compare([clips[0].read_bytes()], [clips[1].read_bytes()]).json()
    assert json.loads(done.stdout)["score"] == pytest.approx(expected["score"], abs=1e-5)


def test_an_error_is_shown(service: Service, client: str, clips: tuple[Path, Path],
                           tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound at all\n" * 50)
    done = call(client, service.url, "compare", clips[0], text)
    assert done.returncode != 0
    title = service.compare([clips[0].read_bytes()], [text.read_bytes()]).json()["title"]
    assert title in done.stdout + done.stderr


def test_a_key_is_sent(client: str, clips: tuple[Path, Path], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(KEY + "\n")
    with Service(api_keys_file=keys) as service:
        assert call(client, service.url, "compare", *clips).returncode != 0
        done = call(client, service.url, "compare", *clips, key=KEY)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def busy(service: Service) -> Iterator[tuple[str, list[float]]]:
    """A front that refuses the first request as a full queue would, and passes on the others; its
    address, and when each request came."""
    times: list[float] = []

    class Front(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            times.append(time.monotonic())
            status, answer = 503, b'{"title": "full", "status": 503}'
            if len(times) > 1:
                kind = {"Content-Type": self.headers["Content-Type"]}
                passed = requests.post(service.url + self.path, data=body, headers=kind, timeout=60)
                status, answer = passed.status_code, passed.content
            self.send_response(status)
            if status == 503:
                self.send_header("Retry-After", "2")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    front = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{front.server_address[1]}", times
    front.shutdown()
    front.server_close()


def test_a_full_queue_is_waited_out(busy: tuple[str, list[float]], client: str,
                                    clips: tuple[Path, Path]) -> None:
    url, times = busy
    done = call(client, url, "compare", *clips)
    assert done.returncode == 0, done.stderr
    assert "score" in json.loads(done.stdout)
    assert len(times) == 2 and times[1] - times[0] >= 1.9
