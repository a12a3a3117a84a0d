"""tools/get_model.py against a server on loopback that behaves, and one that does not."""

from __future__ import annotations

import hashlib
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "get_model.py"
BODY = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(BODY).hexdigest()

INSTEAD = {"page": b"<!DOCTYPE html><p>Log in", "pointer": b"version https://git-lfs.github.com/spec/v1\n",
           "long": BODY + b"and more", "other": bytes(len(BODY))}


class Hub(http.server.BaseHTTPRequestHandler):
    """States size and digest on a redirect, as the hub does; `fault` says how it misbehaves."""

    fault = ""
    ranges: list[str]

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        if self.fault == "missing":
            self.send_error(404)
            return
        if self.path != "/renamed" and self.fault == "renamed":
            self.send_response(307)
            self.send_header("Location", "/renamed")
            self.end_headers()
            return
        self.send_response(302)
        self.send_header("Location", "/storage")
        if self.fault != "no-statement":
            stated = "0" * 64 if self.fault == "wrong-digest" else SHA256
            self.send_header("X-Linked-Etag", f'"{stated}"')
            self.send_header("X-Linked-Size", str(len(BODY)))
        self.end_headers()

    def do_GET(self) -> None:
        if self.path != "/storage":
            self.send_response(302)
            self.send_header("Location", "/storage")
            self.end_headers()
            return
        wanted = self.headers.get("Range", "")
        self.ranges.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.fault != "no-ranges" else 0
        body = INSTEAD.get(self.fault, BODY[start:])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.fault == "cut" else body)


@pytest.fixture(name="hub")
def start_hub() -> Iterator[type[Hub]]:
    handler = type("ThisHub", (Hub,), {"ranges": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler
    server.shutdown()
    server.server_close()


def run(endpoint: str, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TOOL), "--endpoint", endpoint, "--out", str(out)],
                          capture_output=True, text=True, timeout=60, check=False)


def leftovers(out: Path) -> list[str]:
    return sorted(path.name for path in out.glob("*"))


@pytest.mark.parametrize("quirk", ["", "renamed"])
def test_arrives_whole_and_is_not_fetched_twice(
    hub: type[Hub], tmp_path: Path, quirk: str
) -> None:
    hub.fault = quirk
    done = run(hub.endpoint, tmp_path)
    assert done.returncode == 0, done.stderr
    assert SHA256 in done.stdout
    assert (tmp_path / "voxceleb_resnet34_LM.onnx").read_bytes() == BODY
    assert run(hub.endpoint, tmp_path).returncode == 0
    assert len(hub.ranges) == 1
    assert leftovers(tmp_path) == ["voxceleb_resnet34_LM.onnx"]


@pytest.mark.parametrize("second", ["", "no-ranges"])
def test_a_cut_download_goes_on(hub: type[Hub], tmp_path: Path, second: str) -> None:
    hub.fault = "cut"
    done = run(hub.endpoint, tmp_path)
    assert done.returncode == 1 and "run it again" in done.stderr
    assert not (tmp_path / "voxceleb_resnet34_LM.onnx").exists()
    hub.fault = second
    assert run(hub.endpoint, tmp_path).returncode == 0
    assert hub.ranges[1] == f"bytes={len(BODY) // 2}-"
    assert (tmp_path / "voxceleb_resnet34_LM.onnx").read_bytes() == BODY


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("wrong-digest", "the server stated " + "0" * 64),
        ("page", "an HTML page, not a model"),
        ("pointer", "a Git LFS pointer, not the file"),
        ("long", f"more than the {len(BODY)} bytes"),
        ("other", f"the server stated {SHA256}; discarded"),
        ("missing", "answers 404"),
        ("no-statement", "states no SHA-256"),
    ],
)
def test_faults_are_named_and_leave_nothing(
    hub: type[Hub], tmp_path: Path, fault: str, said: str
) -> None:
    hub.fault = fault
    done = run(hub.endpoint, tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert leftovers(tmp_path) == []


def test_a_good_file_survives_a_bad_download(hub: type[Hub], tmp_path: Path) -> None:
    target = tmp_path / "voxceleb_resnet34_LM.onnx"
    target.write_bytes(b"the one from before")
    hub.fault = "wrong-digest"
    assert run(hub.endpoint, tmp_path).returncode == 1
    assert target.read_bytes() == b"the one from before"


def test_offline_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        done = run(endpoint, tmp_path)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr and "by hand" in done.stderr
