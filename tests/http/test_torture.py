"""Every allocation of a request fails in turn: an error or a closed connection, then the right answer again.

torture.c is preloaded into the plain build and lets the n-th allocation fail, for each n until a request
goes through without one: no wrong answer, no dead service, nothing kept.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from conversation import NDJSON, timeless
from service import BUILD, ROOT, Service, speech, wav

sys.path.insert(0, str(ROOT / "tests/siege"))
from flac import minutes_of_nothing  # noqa: E402

pytestmark = pytest.mark.skipif(BUILD.name != "release", reason="sanitizers have allocators of their own")
IS_LONG = os.environ.get("SIEGE") == "long"
SAMPLES = speech(1.0, seed=3)
CLIP = wav(SAMPLES)
CALL = wav(np.concatenate([speech(1.5, seed=1, pitch_hz=95), speech(1.5, seed=2, pitch_hz=230)]))
SRT = b"1\n00:00:00,100 --> 00:00:01,200\nhello there\n\n2\n00:00:01,700 --> 00:00:02,800\nand you\n"


class Torture:
    """The page shared with the service."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(struct.pack("qq", -1, 0))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 16)

    def begin(self, n: int) -> None:
        """The n-th allocation from now on fails, counted from 0."""
        self.page[:16] = struct.pack("qq", n, 0)

    def end(self) -> int:
        """How many failed."""
        self.page[:8] = struct.pack("q", -1)
        return struct.unpack("q", self.page[8:16])[0]


def encoded(codec: str, form: str) -> bytes:
    """CLIP, by FFmpeg."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", "-", "-c:a", codec, "-f", form, "-"]
    return subprocess.run(command, input=CLIP, capture_output=True, check=True, timeout=60).stdout


def form(*parts: tuple[str, bytes, str]) -> dict:
    return {"files": [(name, (name, content, kind)) for name, content, kind in parts]}


def stored(seed: int) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).standard_normal(24)]


REQUESTS: dict[str, tuple[str, dict]] = {
    "embed wav": ("/embed", {"data": CLIP}),
    "embed flac": ("/embed", {"data": minutes_of_nothing(2)}),
    "embed mp3": ("/embed", {"data": encoded("libmp3lame", "mp3")}),
    "embed opus": ("/embed", {"data": encoded("libopus", "ogg")}),
    "embed vorbis": ("/embed", {"data": encoded("libvorbis", "ogg")}),
    "embed form": ("/embed", form(("file", CLIP, "audio/wav"))),
    "embed long form": ("/embed", form(("file", wav(speech(2.5)), "audio/wav"))),
    "embed base64": ("/embed?encoding=base64&normalize=false", {"data": CLIP}),
    "compare": ("/compare", form(("a", CLIP, "audio/wav"), ("b", CLIP, "audio/wav"))),
    "large compare": ("/compare", form(("a", CLIP, "audio/wav"), ("a", CALL, "audio/wav"), ("b", CLIP, "audio/wav"))),
    "compare stored": ("/compare", {"json": {"a": {"embedding": stored(1)}, "b": {"embedding": stored(2)}}}),
    "compare mixed": ("/compare", form(("a", json.dumps({"embedding": stored(1)}).encode(), "application/json"), ("b", CLIP, "audio/wav"))),
    "diarize": ("/diarize", {"data": CALL}),
    "diarize lines": ("/diarize", {"data": CALL, "headers": NDJSON}),
    "diarize rttm": ("/diarize?format=rttm", {"data": CALL}),
    "diarize transcript": ("/diarize", form(("file", CALL, "audio/wav"), ("transcript", SRT, "application/x-subrip"))),
    "diarize text": ("/diarize?format=text", form(("file", CALL, "audio/wav"), ("transcript", SRT, "application/x-subrip"))),
    "a refusal": ("/embed", {"data": b"no recording at all"}),
}


@pytest.fixture(scope="module")
def tortured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Torture]]:
    folder = tmp_path_factory.mktemp("torture")
    library = folder / "torture.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, ROOT / "tests/http/torture.c"], check=True, timeout=60)
    torture = Torture(folder / "page")
    with Service(workers=1, env={"LD_PRELOAD": str(library), "VOICEPRINT_TORTURE": str(folder / "page")}) as service:
        yield service, torture


def result(response: requests.Response) -> object:
    """What must be the same each time."""
    if response.headers["Content-Type"].startswith("text/plain"):
        return response.text
    answer = timeless(json.loads(response.text.splitlines()[-1]))
    answer.pop("instance", None)
    return answer


def judge(response: requests.Response, expected: tuple[int, object]) -> str:
    """Right, or an error that says that memory is short."""
    found = result(response)
    if (response.status_code, found) == expected:
        return "right"
    assert isinstance(found, dict) and found.get("type") == "urn:voiceprintd:problem:overloaded-memory", (response.status_code, response.text[:500])
    assert found["status"] == 503
    return "refused"


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_allocation_fails_in_turn(tortured: tuple[Service, Torture], kind: str) -> None:
    service, torture = tortured
    path, what = REQUESTS[kind]
    ask: Callable[[], requests.Response] = lambda: service.post(path, **what)  # noqa: E731
    first = ask()
    expected = first.status_code, result(first)
    assert first.status_code == (415 if kind == "a refusal" else 200), first.text
    seen: Counter = Counter()
    n, untouched = 0, 0
    while untouched < 3:  # in turn; the loop's own may be counted in between
        torture.begin(n)
        try:
            seen[judge(ask(), expected)] += 1
        except requests.RequestException:
            seen["closed"] += 1
        untouched = 0 if torture.end() else untouched + 1
        assert service.process.poll() is None, f"ended at allocation {n}: {service.log()[-2000:]}"
        n += 1 if IS_LONG or n < 80 else 13  # of many alike a part
        assert n < 100_000
    print(f"{kind}: {n} allocations, {dict(seen)}")
    assert seen["refused"] + seen["closed"] > 5, seen
    again = ask()
    assert (again.status_code, result(again)) == expected
    service.wait_for(lambda: service.metric("voiceprintd_upload_bytes_buffered") == 0, 10, "nothing buffered")
    service.wait_for(lambda: service.metric("voiceprintd_workers_busy") == 0, 10, "nothing running")
