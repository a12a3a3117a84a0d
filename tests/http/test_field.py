"""Recordings as people really have them, each from a report about another program: FIELD_DIR holds them and, in cases.csv,
what is right. The kinds behind them are made anew in tests/unit/core/audio/test_damage.c."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from service import ROOT, Service, problem, speech, wav

FIELD_DIR = Path(os.environ.get("FIELD_DIR", ROOT / "../shared/field"))
# Name, least cosine to clean.wav, and the warnings about lengths and damage that are due.
CASES = [
    ("wav-mono16-align4.wav", 0.999, set()), ("wav-mono16-align1.wav", 0.999, set()), ("wav-mono16-align0.wav", 0.999, set()),
    ("wav-data-36-too-many.wav", 0.999, {"length_mismatch"}), ("wav-behind-id3.wav", 0.999, set()),
    ("wav-bw64.wav", 0.999, set()), ("aiff-sox-pipe.aiff", 0.999, set()), ("flac-lf-at-end.flac", 0.999, set()),
    ("flac-copy-cut.flac", 0.9, {"length_mismatch"}), ("mp3-4096-zeros-at-end.mp3", 0.98, set()),
    ("mp3-two-id3.mp3", 0.98, set()), ("mp3-zeros-in-front.mp3", 0.98, set()), ("mp3-last-frame-short.mp3", 0.98, {"damaged"}),
]
ABOUT_LENGTH = {"length_mismatch", "damaged"}


@pytest.fixture(scope="module")
def boxed():
    with Service(model=ROOT / "models/voiceprint.safetensors", workers=1) as running:
        yield running


@pytest.mark.parametrize("name,cosine,warnings", CASES, ids=[name for name, _, _ in CASES])
def test_what_others_play(boxed: Service, name: str, cosine: float, warnings: set[str]) -> None:
    if not FIELD_DIR.is_dir():
        pytest.skip(f"left out: no {FIELD_DIR}")
    clean = boxed.embed((FIELD_DIR / "clean.wav").read_bytes()).json()["embedding"]
    response = boxed.embed((FIELD_DIR / name).read_bytes())
    assert response.status_code == 200, response.text
    answer = response.json()
    assert np.dot(clean, answer["embedding"]) > cosine
    assert set(answer["quality"]["warnings"]) & ABOUT_LENGTH == warnings


def test_damage_is_accepted_on_request(service: Service) -> None:
    """Every route that takes audio takes the wish, and says what it did."""
    cut = wav(speech(4.0))[:-64000]  # 2 s of 4
    response = service.embed(cut)
    assert (response.status_code, problem(response)) == (422, "undecodable-audio")
    assert "on_damage=accept" in response.json()["detail"]
    assert problem(service.embed(cut, "?on_damage=refuse")) == "undecodable-audio"
    answer = service.embed(cut, "?on_damage=accept")
    assert answer.status_code == 200, answer.text
    assert "length_mismatch" in answer.json()["quality"]["warnings"]
    assert answer.json()["audio"]["duration_s"] == pytest.approx(2.0, abs=0.01)
    parts = {"a": ("a.wav", cut), "b": ("b.wav", wav(speech(3.0, seed=1)))}
    assert problem(service.post("/compare", files=parts)) == "undecodable-audio"
    assert service.post("/compare?on_damage=accept", files=parts).status_code == 200
    assert problem(service.post("/diarize", data=cut)) == "undecodable-audio"
    heard = service.post("/diarize?on_damage=accept", data=cut)
    assert heard.status_code == 200, heard.text
    assert "length_mismatch" in heard.json()["warnings"]
    assert problem(service.embed(cut, "?on_damage=maybe")) == "bad-request"


def test_a_ringing_tone_is_no_speech(boxed: Service) -> None:
    if not FIELD_DIR.is_dir():
        pytest.skip(f"left out: no {FIELD_DIR}")
    tone = (FIELD_DIR / "ringback.flac").read_bytes()
    assert {"no_speech", "low_speech"} <= set(boxed.embed(tone).json()["quality"]["warnings"])


def test_nobody_speaks_in_a_ringing_tone() -> None:
    """By our detector; the published segmentation network hears a voice in it."""
    if not FIELD_DIR.is_dir():
        pytest.skip(f"left out: no {FIELD_DIR}")
    with Service(model=ROOT / "models/voiceprint.safetensors", workers=1, segmentation_model="none") as service:
        turns = service.post("/diarize", data=(FIELD_DIR / "ringback.flac").read_bytes()).json()
    assert turns["num_speakers"] == 0 and "no_speech" in turns["warnings"]
