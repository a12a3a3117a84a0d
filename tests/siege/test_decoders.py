"""Decoders are killed, stopped and fed with damaged files: that costs the recording at hand, and nobody else notices."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import media
import pytest
import service as serving
from attackers import IS_LONG
from conversation import timeless
from service import BUILD, IS_SLOW, LARGE, ROOT, SLOWNESS, SMALL, Service, busy_clip, problem, voice

N_KILLS = 200 if IS_LONG else 20
N_DAMAGED = 10_000 if IS_LONG else 30 if IS_SLOW else 300
FORMATS = ["-f wav", "-c:a libmp3lame -f mp3", "-c:a flac -f flac", "-c:a libvorbis -f ogg", "-c:a libopus -f ogg", "-c:a aac -f ipod",
           "-c:a libopus -f webm", "-c:a aac -f adts", "-c:a pcm_s16be -f aiff", "-c:a alac -f caf", "-c:a wmav2 -f asf",
           "-c:a aac -f mp4 -movflags frag_keyframe+empty_moov", "-c:a adpcm_ms -f wav"]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def decoders(service: Service) -> list[int]:
    (zygote,) = children(service.process.pid)
    return children(zygote)


def is_alive(pid: int) -> bool:
    """A zombie that nobody waits for is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def fresh() -> Iterator[Service]:
    with Service(workers=2, queue_size=64) as running:
        yield running


def test_a_crash_is_answered_by_a_new_decoder(fresh: Service) -> None:
    clips = [voice(seed, 20.0) for seed in range(4)]
    expected = [fresh.embed(clip).json()["embedding"] for clip in clips]
    before, seen, over = fresh.open_fds(), Counter(), threading.Event()

    def crashed() -> float:
        return fresh.metric("voiceprintd_decoder_restarts_total", reason="crashed")

    def ask(i: int) -> None:
        try:
            while not over.is_set():
                response = fresh.embed(clips[i])
                if response.status_code == 200:
                    assert response.json()["embedding"] == expected[i]
                    seen["right"] += 1
                else:
                    assert problem(response) == "undecodable-audio" and "crashed" in response.json()["detail"], response.text
                    seen["crashed"] += 1
        finally:
            over.set()  # one that fails ends all

    def kill() -> None:
        while crashed() < N_KILLS and not over.is_set():
            count, end = crashed(), time.monotonic() + 1
            with suppress(ProcessLookupError, IndexError):  # one may be dead already, and not yet buried
                os.kill(random.choice(decoders(fresh)), signal.SIGSEGV)
            while crashed() == count and time.monotonic() < end:
                time.sleep(0.01)

    with ThreadPoolExecutor(5) as pool:
        asking = [pool.submit(ask, i) for i in range(4)]
        try:
            pool.submit(kill).result()
        finally:
            over.set()
        for one in asking:
            one.result()
    print(f"{N_KILLS} kills: {dict(seen)}")
    assert seen["crashed"] <= crashed()
    assert [fresh.embed(clip).json()["embedding"] for clip in clips] == expected
    fresh.wait_for(lambda: fresh.open_fds() <= before and len(decoders(fresh)) == 2, 10 * SLOWNESS, "as many descriptors and decoders as before")
    assert fresh.log_lines("decoder-replaced")


@pytest.mark.skipif(IS_SLOW, reason="its time is a minute there")
def test_a_decoder_that_stands_still_is_given_up(fresh: Service) -> None:
    clip = voice()
    for decoder in decoders(fresh):
        os.kill(decoder, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        for response in pool.map(fresh.embed, [clip] * 2):
            assert problem(response) == "undecodable-audio" and "too long" in response.json()["detail"], response.text
    assert fresh.embed(clip).status_code == 200
    assert fresh.metric("voiceprintd_decoder_restarts_total", reason="too_long") == 2


def test_a_decoder_that_is_killed_from_outside_is_the_machines_matter(fresh: Service) -> None:
    """As by a system that is short of memory: try again."""
    for decoder in decoders(fresh):
        os.kill(decoder, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(fresh.embed, voice()) for _ in range(2)]
        fresh.wait_for(lambda: fresh.metric("voiceprintd_workers_busy") == 2, 10 * SLOWNESS, "both at work")
        for decoder in decoders(fresh):
            os.kill(decoder, signal.SIGKILL)
        for one in asked:
            assert problem(one.result()) == "overloaded-memory" and "Retry-After" in one.result().headers
    assert fresh.embed(voice()).status_code == 200


def damage(good: bytes, dice: random.Random) -> bytes:
    """Some bytes changed, a piece left out, doubled or cut off."""
    bad = bytearray(good)
    for _ in range(dice.choice([1, 4, 32])):
        bad[int(len(bad) * dice.random() ** 3)] = dice.randrange(256)  # more of them at the beginning
    at, n = dice.randrange(len(bad)), dice.choice([0, 0, 1, 100, 5000])
    kind = dice.randrange(3)
    return bytes(bad[:at] + bad[at + n:] if kind == 0 else bad[:at] + bad[max(0, at - n):] if kind == 1 else bad[:len(bad) - n])


def test_damaged_files_of_all_formats_hurt_nobody(fresh: Service) -> None:
    good = [media.recording(options, 3.0) for options in FORMATS]
    expected = fresh.embed(voice()).json()["embedding"]
    over = threading.Event()

    def ask_for_good() -> int:
        n = 0
        while not over.is_set():
            response = fresh.embed(voice())
            assert response.status_code == 200 and response.json()["embedding"] == expected, response.text
            n += 1
        return n

    def ask_for_bad(seed: int) -> int:
        dice = random.Random(seed)
        path = "/diarize" if seed % 10 == 0 else "/embed"
        response = fresh.post(path, data=damage(good[seed % len(good)], dice), headers={"Content-Type": "audio/x"})
        assert response.status_code < 500, (seed, response.text)
        return response.status_code

    with ThreadPoolExecutor(5) as pool:
        others = pool.submit(ask_for_good)
        try:
            seen = Counter(pool.map(ask_for_bad, range(N_DAMAGED)))
        finally:
            over.set()
        ends = {line["detail"] for line in fresh.log_lines("decoder-replaced")}
        print(f"{N_DAMAGED} damaged files: {dict(seen)}, {others.result()} good ones meanwhile, decoders ended: {ends or 'none'}")
    assert not any(fresh.metric("voiceprintd_decoder_restarts_total", reason=reason) for reason in ("forbidden_call", "too_long", "too_much_memory"))


@pytest.mark.parametrize("options", FORMATS)
def test_every_format_as_inline(options: str) -> None:
    clip = media.recording(options, 3.0)
    answers = []
    for decoder in ("sandbox", "inline"):
        with Service(workers=1, decoder=decoder) as service:
            assert service.get("/info").json()["decoder"] == decoder
            embedded, diarized = service.post("/embed", data=clip), service.post("/diarize", data=clip)
            assert (embedded.status_code, diarized.status_code) == (200, 200), embedded.text
            answers.append([timeless(embedded.json()), timeless(diarized.json())])
            assert bool(service.log_lines("decoder-inline")) == (decoder == "inline")
    assert answers[0] == answers[1]


def test_nothing_is_left_of_a_killed_service() -> None:
    service = Service(workers=3)
    (zygote,) = children(service.process.pid)
    all_of_them = [zygote, *children(zygote)]
    assert len(all_of_them) == 4
    service.kill()
    end = time.monotonic() + 10 * SLOWNESS
    while any(is_alive(pid) for pid in all_of_them):
        assert time.monotonic() < end, all_of_them
        time.sleep(0.02)


@pytest.mark.skipif(IS_SLOW, reason="the net that is slow enough is too slow there")
def test_the_whole_group_is_told_to_end() -> None:
    """As by a terminal's Ctrl-C and by systemd: decoders stay for what is under way."""
    with Service(workers=1, model=LARGE, max_duration_s=200) as service, ThreadPoolExecutor(4) as pool:
        (zygote,) = children(service.process.pid)
        clip = busy_clip(40.0)
        asked = [pool.submit(service.embed, clip) for _ in range(4)]
        service.wait_for(lambda: service.metric("voiceprintd_queue_depth") == 3, 20 * SLOWNESS, "all waiting")
        for pid in (zygote, *children(zygote), service.process.pid):
            os.kill(pid, signal.SIGTERM)
        assert [one.result().status_code for one in asked] == [200] * 4
        assert service.wait_end() == 0


def test_without_a_zygote_the_service_ends() -> None:
    """What cannot decode is no service: whoever watches it starts a whole one."""
    service = Service(workers=1)
    try:
        os.kill(children(service.process.pid)[0], signal.SIGKILL)
        assert service.wait_end() == 1
        assert service.log_lines("sandbox-lost")
    finally:
        service.kill()


# Puts a filter over itself, and becomes the program of the further arguments: "but"s are refused alone, or "only"s are allowed alone.
CONFINED = """
import ctypes, os, sys
kind, names, *command = sys.argv[1:]
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
allow, refuse = 0x7FFF0000, 0x00050001
filter = seccomp.seccomp_init(allow if kind == "but" else refuse)
for name in names.split():
    call = seccomp.seccomp_syscall_resolve_name(name.encode())
    if call >= 0:
        assert seccomp.seccomp_rule_add(filter, refuse if kind == "but" else allow, call, 0) == 0
assert seccomp.seccomp_load(ctypes.c_void_p(filter)) == 0
os.execv(command[0], command)
"""


def confined(kind: str, names: str) -> list[str]:
    return ["/usr/bin/python3", "-c", CONFINED, kind, names]


@pytest.mark.skipif(IS_SLOW, reason="one build is enough")
@pytest.mark.parametrize("call", ["memfd_create", "socketpair", "seccomp prctl"])
def test_where_processes_cannot_be_sealed_it_says_what_to_do(call: str) -> None:
    command = [str(BUILD / "voiceprintd"), "--listen", "127.0.0.1:1", "--model", str(SMALL)]
    ended = subprocess.run([*confined("but", call), *command], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and "decoder=inline" in ended.stderr, ended.stderr


def calls_of(group: str) -> set[str]:
    """The system calls of a group of systemd's."""
    listed = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True, timeout=60).stdout
    found: set[str] = set()
    for line in listed.splitlines()[1:]:
        word = line.strip()
        found |= calls_of(word) if word.startswith("@") else set() if word.startswith("#") else {word}
    return found - {""}


@pytest.mark.skipif(IS_SLOW or shutil.which("systemd-analyze") is None, reason="one build is enough, and systemd has the lists")
def test_under_the_calls_of_the_shipped_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = (ROOT / "config/voiceprintd.service").read_text(encoding="utf-8")
    lists = [line.removeprefix("SystemCallFilter=") for line in unit.splitlines() if line.startswith("SystemCallFilter=")]
    allowed: set[str] = set()
    for words in lists:
        named = set().union(*(calls_of(word) if word.startswith("@") else {word} for word in words.removeprefix("~").split()))
        allowed = allowed - named if words.startswith("~") else allowed | named
    assert len(allowed) > 100
    monkeypatch.setattr(serving, "EMULATOR", confined("only", " ".join(sorted(allowed))))
    with Service(workers=1) as service:
        assert service.embed(voice()).status_code == 200
        assert service.post("/diarize", data=voice()).status_code == 200
