#!/usr/bin/env python3
"""What /embed's clients notice of a running diarization: latency without and with one, in turn.

One voiceprintd with two workers; wrk asks for embeddings of a 3 s clip, and every other round an hour
of speech is being diarized meanwhile: the clips of SPEECH_DIR (../shared/audio) one after the other,
again and again, with pauses. Nothing made up will do, the speech detector skips it. The best round of
each counts on a machine that others use.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import socket
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parent))
from net import ROOT, cpu_name  # noqa: E402
from service import Side, clip_wav  # noqa: E402

HOUR_S, PAUSE_S, RATE_HZ = 3600, 0.5, 16000
SPEECH = Path(os.environ.get("SPEECH_DIR", ROOT.parent / "shared" / "audio"))


def hour_of_speech() -> bytes:
    """16 kHz, 16-bit wav."""
    pieces = []
    for path in sorted(SPEECH.glob("*.flac")):
        samples, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
        if rate_hz == RATE_HZ:
            pieces += [samples[:, 0], np.zeros(int(PAUSE_S * RATE_HZ), np.int16)]
    if not pieces:
        sys.exit(f"{SPEECH}: no 16 kHz flac; SPEECH_DIR names a folder of speech")
    out = io.BytesIO()
    soundfile.write(out, np.resize(np.concatenate(pieces), HOUR_S * RATE_HZ), RATE_HZ, format="WAV")
    return out.getvalue()


def under_way(side: Side) -> bool:
    with urllib.request.urlopen(side.url + "/metrics", timeout=10) as reply:
        return re.search(rb"^voiceprintd_diarizations 1$", reply.read(), re.M) is not None


def wait(side: Side, wanted: bool) -> None:
    deadline = time.monotonic() + 20
    while under_way(side) != wanted:
        if time.monotonic() > deadline:
            sys.exit("the diarization does not " + ("begin" if wanted else "end"))
        time.sleep(0.05)


def begin_diarization(side: Side, recording: bytes) -> socket.socket:
    port = int(side.url.rsplit(":", 1)[1])
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(b"POST /diarize HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(recording) + recording)
    wait(side, True)
    return connection


def wait_for_stage(connection: socket.socket, stage: str) -> None:
    """Reads lines of progress, one every few seconds, until they name the stage."""
    heard = b""
    while b'"%s"' % stage.encode() not in heard:
        piece = connection.recv(65536)
        if not piece:
            sys.exit(f"the diarization ended before stage {stage}: {heard[-300:]!r}")
        heard += piece


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/voiceprintd")
    parser.add_argument("--model", type=Path, default=ROOT / "models/voiceprint.safetensors")
    parser.add_argument("--seconds", type=float, default=6, help="of each run of wrk")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--stage", choices=["embed", "track"], default="embed",
                        help="of the diarization that is measured; track begins after 40 s")
    options = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:2]))
    side = Side("voiceprintd", [str(options.program.resolve()), "--listen", "127.0.0.1:{port}", "--model",
                                str(options.model.resolve()), "--workers", "2", "--queue-size", "64",
                                "--log-level", "warn", "--drain-delay-s", "0"])
    recording = hour_of_speech()
    print(f"{cpu_name()}, load {os.getloadavg()[0]:.1f}\n")
    print("| clients | without: p50, p99 ms | with | p99, ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.wav"
        clip.write_bytes(clip_wav(3.0))
        side.start()
        side.load(clip, 1, 2)
        for n_clients in options.clients:
            rounds: dict[bool, list[dict[str, float]]] = {False: [], True: []}
            for _ in range(options.rounds):
                rounds[False].append(side.load(clip, options.seconds, n_clients))
                connection = begin_diarization(side, recording)
                wait_for_stage(connection, options.stage)
                rounds[True].append(side.load(clip, options.seconds, n_clients))
                if not under_way(side):
                    sys.exit("the diarization ended before the load did")
                connection.close()
                wait(side, False)
            best = {w: {k: min(r[k] for r in rounds[w]) for k in ("p50_ms", "p99_ms")} for w in rounds}
            pairs = [b["p99_ms"] / a["p99_ms"] for a, b in zip(rounds[False], rounds[True])]
            print(f"| {n_clients} | {best[False]['p50_ms']:.0f}, {best[False]['p99_ms']:.0f} "
                  f"| {best[True]['p50_ms']:.0f}, {best[True]['p99_ms']:.0f} "
                  f"| {best[True]['p99_ms'] / best[False]['p99_ms']:.2f} (median of the pairs {np.median(pairs):.2f}) |",
                  flush=True)
        side.stop()
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
