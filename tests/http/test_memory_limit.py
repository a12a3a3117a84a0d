"""Under a hard limit on memory requests are refused or their connections closed; the service stays, and
what it answers is right."""

from __future__ import annotations

import resource
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from service import IS_SLOW, Service, speech, voice, wav

MIB = 1 << 20


def encoded(tmp_path: Path, codec: str, name: str) -> bytes:
    source, target = tmp_path / "source.wav", tmp_path / name
    source.write_bytes(voice(3))
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", source, "-c:a", codec, target], check=True, timeout=60)
    return target.read_bytes()


@pytest.mark.skipif(IS_SLOW, reason="sanitizers take address space as they like")
@pytest.mark.parametrize("spare_mib", [0, 1, 3])
def test_a_full_address_space(tmp_path: Path, spare_mib: int) -> None:
    clips = [encoded(tmp_path, "libvorbis", "a.ogg"), encoded(tmp_path, "libmp3lame", "a.mp3"), encoded(tmp_path, "flac", "a.flac"),
             wav(speech(2.0, rate=44100), 44100), voice(4)]
    # One worker: OpenBLAS takes 128 MiB of address space for each call that runs beside another, and tries
    # for ever where it gets none. The watchdog tells of that.
    with Service(workers=1, queue_size=50) as service:
        expected = [service.embed(clip).json()["embedding"] for clip in clips]
        statm = Path(f"/proc/{service.process.pid}/statm").read_text(encoding="ascii")
        limit = int(statm.split()[0]) * resource.getpagesize() + spare_mib * MIB
        _, before = resource.prlimit(service.process.pid, resource.RLIMIT_AS)
        resource.prlimit(service.process.pid, resource.RLIMIT_AS, (limit, before))
        seen: Counter = Counter()

        def one(i: int) -> None:
            try:
                response = service.post("/embed", data=bytes(MIB)) if i % 6 == 5 else service.embed(clips[i % 6])
            except requests.RequestException:
                seen["closed"] += 1
                return
            if response.status_code == 200:
                assert response.json()["embedding"] == expected[i % 6]
            seen[200 if response.status_code == 200 else response.json()["type"].split(":")[-1]] += 1
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(240)))
        assert service.process.poll() is None, service.log()[-2000:]
        assert set(seen) <= {200, "closed", "overloaded-memory", "unsupported-audio"}, seen
        assert spare_mib > 0 or seen["closed"] + seen["overloaded-memory"] > 0, f"the limit did not bite: {seen}"
        resource.prlimit(service.process.pid, resource.RLIMIT_AS, (before, before))
        assert [service.embed(clip).json()["embedding"] for clip in clips] == expected
        assert service.metric("voiceprintd_upload_bytes_buffered") == 0
