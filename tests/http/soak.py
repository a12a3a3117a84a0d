#!/usr/bin/env python3
"""Soak: mixed good, bad, cut and hostile traffic, the siege's attackers among it, for MINUTES against one build,
with figures; the model is reloaded every ten seconds.

VOICEPRINT_BUILD names the build (build/asan, build/tsan, build/release). Every good answer is compared
with the first one for that clip. Ends with 1 when an answer is wrong, a sanitizer reports, memory (of a
plain build) or descriptors grow, or the service does not drain with status 0.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import requests

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "siege"))

import mix  # noqa: E402
import ogg  # noqa: E402
from service import BUILD, IS_SLOW, Service, read_answer, send_embed, speech, voice, wav  # noqa: E402

KINDS = ["good", "good", "good", "compare", "cut", "flipped", "text", "leave", "half", "probe", "bomb", "diarize", "lines", "hang up",
         "half closed", "siege", "siege", "siege"]
CALL = wav(np.concatenate([speech(2.0, seed=1, pitch_hz=95), speech(2.0, seed=2, pitch_hz=230)]))
BOMBS = [ogg.vorbis_file(ogg.vorbis_setup(1, 22)), ogg.vorbis_file(ogg.vorbis_setup(4, 14)), ogg.vorbis_file(b"\5vorbis\0")]


def turns(response: requests.Response) -> object:
    """What must be the same each time a conversation is diarized."""
    return [(turn["start"], turn["end"], turn["speaker"]) for turn in response.json()["segments"]]


def answers(connection: socket.socket) -> bool:
    try:
        return read_answer(connection, 60)[0] in (200, 429, 503)
    except OSError:
        return False


def traffic(service: Service, clips: list[bytes], expected: list[object], tally: Counter, stop: threading.Event, seed: int) -> None:
    rng = random.Random(seed)
    while not stop.is_set():
        i, kind = rng.randrange(len(clips)), rng.choice(KINDS)
        try:
            if kind == "good":
                response = service.embed(clips[i])
                if response.status_code == 200 and response.json()["embedding"] != expected[i]:
                    tally["wrong"] += 1
            elif kind == "compare":
                response = service.compare([clips[i], clips[0]], [clips[-1]])
            elif kind == "cut":
                response = service.embed(clips[i][:rng.randrange(len(clips[i]))])
            elif kind == "flipped":
                body = bytearray(clips[i])
                for _ in range(20):
                    body[rng.randrange(60)] ^= 1 << rng.randrange(8)
                response = service.embed(bytes(body))
            elif kind == "text":
                response = service.post("/compare", data=rng.randbytes(300), headers={"Content-Type": "multipart/form-data; boundary=x"})
            elif kind == "bomb":
                response = service.post("/embed", data=rng.choice(BOMBS))
            elif kind == "diarize":
                response = service.post("/diarize", data=CALL)
                if response.status_code == 200 and turns(response) != expected[-1]:
                    tally["wrong"] += 1
            elif kind == "lines":
                response = service.post("/diarize", data=CALL, headers={"Accept": "application/x-ndjson"})
                if response.status_code == 200 and not all(json.loads(line) for line in response.text.splitlines()):
                    tally["wrong"] += 1
            elif kind == "hang up":
                with service.raw() as connection:
                    connection.sendall(b"POST /diarize HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\nContent-Length: %d\r\n\r\n" % len(CALL) + CALL)
                    connection.settimeout(rng.random())
                    try:
                        connection.recv(100)
                    except TimeoutError:
                        pass
                tally["hung up"] += 1
                continue
            elif kind == "half closed":
                with send_embed(service, clips[i]) as connection:
                    connection.shutdown(socket.SHUT_WR)
                    tally["half closed" if answers(connection) else "wrong"] += 1
                continue
            elif kind == "siege":
                attack = rng.choice(mix.ATTACKS)
                attack(service, rng)
                tally[attack.__name__] += 1
                continue
            elif kind == "leave":
                send_embed(service, clips[i]).close()
                tally["left"] += 1
                continue
            elif kind == "half":
                with service.raw() as connection:
                    connection.sendall(b"POST /embed HTTP/1.1\r\nContent-Length: 50000\r\n\r\n" + clips[i][:rng.randrange(40000)])
                tally["half"] += 1
                continue
            else:
                response = service.get(rng.choice(["/livez", "/readyz", "/info", "/metrics", "/nope"]))
            tally[response.status_code] += 1
        except requests.RequestException as error:
            tally[type(error).__name__] += 1
        except OSError:
            tally["reset"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20, help="length of the soak")
    args = parser.parse_args()
    clips = [voice(seed, 1.0 + seed / 4) for seed in range(5)]
    tally: Counter = Counter()
    service = Service(workers=2, queue_size=8, log_level="warn")
    try:
        expected = [service.embed(clip).json()["embedding"] for clip in clips] + [turns(service.post("/diarize", data=CALL))]
        stop = threading.Event()
        threads = [threading.Thread(target=traffic, args=(service, clips, expected, tally, stop, seed), daemon=True) for seed in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(min(60.0, args.minutes * 15))  # a quarter, at most a minute, to warm up
        memory, fds = service.resident_bytes(), service.open_fds()
        end = time.monotonic() + args.minutes * 60 - min(60.0, args.minutes * 15)
        while time.monotonic() < end and service.process.poll() is None:
            time.sleep(min(10.0, max(0.1, end - time.monotonic())))
            service.send_signal(signal.SIGHUP)  # keys and model are read again, under load
            print(f"{end - time.monotonic():6.0f} s left, {sum(tally.values())} requests, {service.resident_bytes() >> 20} MiB", file=sys.stderr)
        stop.set()
        for thread in threads:
            thread.join(60)
        time.sleep(3)
        grown, fds_after = service.resident_bytes() / memory - 1, service.open_fds()
        status = service.stop(deadline_s=60)
    finally:
        service.kill()
    reports = sum(word in service.log() for word in ("Sanitizer", "runtime error", "broken invariant"))
    print(json.dumps({"build": BUILD.name, "minutes": args.minutes, "requests": sum(tally.values()), "answers": {str(k): v for k, v in tally.items()},
                      "wrong": tally["wrong"], "memory_growth_percent": round(100 * grown, 1), "descriptors": [fds, fds_after],
                      "reports": reports, "exit_status": status}))
    # A sanitizer keeps freed memory on purpose: there only descriptors are judged.
    bad = tally["wrong"] or reports or status != 0 or fds_after > fds + 8 or (not IS_SLOW and grown > 0.05) or tally[500]
    print("soak: " + ("BROKEN" if bad else "nothing broke"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
