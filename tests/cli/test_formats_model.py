"""One utterance in many encodings: the model in the box hears the same voice in each.

Bars: cosine with the 16 kHz wav at least 0.98, and 0.85 where much of the sound is gone: a sample
rate below 16 kHz, a codec of at most 64 kbit/s, or 8 bits. AddressSanitizer, which takes minutes for a
network of full size, hears the decoders and a small one: there a file is only embedded or refused.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("VOICEPRINT_BUILD", ROOT / "build/release")) / "voiceprint"
IS_ASAN = PROGRAM.parent.name == "asan"
MODEL = ROOT / ("tests/golden/models/small.safetensors" if IS_ASAN else "models/voiceprint.safetensors")
FORMATS = Path(os.environ.get("SPEECH_DIR", ROOT / "../shared/audio")) / "formats"
REFERENCE = "wav-pcm16-16k.wav"
REDUCED = {
    "adts-aac-16k.aac", "m4a-aac-16k.m4a", "mp3-64k-16k.mp3", "ogg-opus-24kbps.opus",
    "wav-adpcm-ima-16k.wav", "wav-adpcm-ms-16k.wav", "wav-u8-16k.wav", "webm-opus.webm", "wma-16k.wma",
}
REFUSED = {"nist-sphere-16k.sph", "raw-s16le-16k.pcm"}  # not on the list of the contract


def listed() -> list[tuple[str, int]]:
    """(file, sample rate) of the good ones; 0 where the list knows no rate."""
    table = next(p for p in (FORMATS.parent / "formats.csv", FORMATS / "formats.csv") if p.exists())
    with table.open(newline="") as file:
        rows = [(row["file"], int(row["rate"] or 0)) for row in csv.DictReader(file)]
    return [row for row in rows if not row[0].startswith("bad/")]


def test_every_encoding_is_the_same_voice_or_a_clear_refusal() -> None:
    if not FORMATS.is_dir():
        if os.environ.get("RECORDINGS") == "required":
            pytest.fail(f"SPEECH_DIR has no formats/: {FORMATS}")
        pytest.skip("left out: the encodings of real speech; SPEECH_DIR names no folder")
    rates = dict(listed())
    files = [str(FORMATS / name) for name in sorted(rates)]
    done = subprocess.run([PROGRAM, "embed", "--model", MODEL, *files], capture_output=True,
                          text=True, timeout=200, check=False)
    assert done.returncode == 1, "the refused ones are counted"
    answers = (json.loads(line) for line in done.stdout.splitlines())
    found = {Path(answer["file"]).name: np.array(answer["embedding"]) for answer in answers}

    assert set(rates) - set(found) == REFUSED
    for name in REFUSED:
        assert f"{name}: " in done.stderr and "is not accepted; send WAV" in done.stderr
    for name, embedding in found.items() if not IS_ASAN else ():
        bar = 0.85 if rates[name] < 16000 or name in REDUCED else 0.98
        cosine = float(embedding @ found[REFERENCE])
        assert cosine >= bar, f"{name}: cosine {cosine:.4f}, the bar is {bar}"
