"""Pauses, noise and tones do not count as voice: what is embedded of a recording, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from service import ROOT, Service, problem, speech, wav

RATE = 16000


def noise(seconds: float, level: float = 0.001, seed: int = 7) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def tones(*parts: tuple[tuple[float, ...], float], seconds: float = 9.0) -> np.ndarray:
    """A cadence of (frequencies, seconds) again and again, over the faint noise of a line."""
    rounds = []
    for frequencies, length in parts:
        t = np.arange(int(length * RATE)) / RATE
        rounds.append(sum((np.sin(2 * np.pi * f * t) for f in frequencies), np.zeros(len(t))) / max(1, len(frequencies)))
    return (0.2 * np.resize(np.concatenate(rounds), int(seconds * RATE))).astype(np.float32) + noise(seconds, 0.0005)


TELEPHONE = {
    "ringing": tones(((425,), 1), ((), 4)),
    "ringing, United States": tones(((440, 480), 2), ((), 4)),
    "ringing, United Kingdom": tones(((400, 450), 0.4), ((), 0.2), ((400, 450), 0.4), ((), 2)),
    "dial": tones(((425,), 9)),
    "dial, United States": tones(((350, 440), 9)),
    "busy": tones(((425,), 0.5), ((), 0.5)),
    "congestion": tones(((425,), 0.25), ((), 0.25)),
    "special information": tones(((950,), 0.33), ((1400,), 0.33), ((1800,), 0.33), ((), 1)),
    "DTMF": tones(*(part for key in ((697, 1209), (770, 1336), (852, 1477), (941, 1336)) for part in ((key, 0.1), ((), 0.1)))),
    "fax calling": tones(((1100,), 0.5), ((), 3)),
    "fax answering": tones(((2100,), 9)),
}
VOICE = speech(3.0, seed=1)
MOSTLY_PAUSE = np.concatenate([noise(9.0), VOICE])


@pytest.fixture(scope="module")
def boxed() -> Iterator[Service]:
    """With the trained net: whose voice is whose."""
    with Service(model=ROOT / "models/voiceprint.safetensors", workers=1) as service:
        yield service


@pytest.fixture(scope="module")
def plain() -> Iterator[Service]:
    with Service(speech_only="off") as service:
        yield service


def ask(service: Service, samples: np.ndarray, query: str = "") -> tuple[np.ndarray, dict]:
    response = service.embed(wav(samples), query)
    assert response.status_code == 200, response.text
    answer = response.json()
    return np.array(answer["embedding"]), {**answer["quality"], "used_s": answer["audio"]["used_s"]}


def test_a_clip_that_is_mostly_pause_is_embedded_without_it(boxed: Service) -> None:
    voice, of_voice = ask(boxed, VOICE)
    assert of_voice["embedded_s"] == of_voice["used_s"] == 3
    paused, quality = ask(boxed, MOSTLY_PAUSE)
    assert quality["used_s"] == 12 and 2 < quality["speech_s"] < quality["embedded_s"] < 4.5
    assert not {"low_speech", "no_speech"} & set(quality["warnings"])
    whole, of_whole = ask(boxed, MOSTLY_PAUSE, "?speech_only=false")
    assert of_whole["embedded_s"] == 12 and of_whole["speech_s"] == quality["speech_s"]
    assert paused @ voice > 0.98 > whole @ voice


def test_continuous_speech_is_the_same_to_the_bit(service: Service) -> None:
    for samples in (VOICE, np.concatenate([noise(0.3), VOICE])):
        default, quality = ask(service, samples)
        assert quality["embedded_s"] == quality["used_s"]
        np.testing.assert_array_equal(default, ask(service, samples, "?speech_only=false")[0])
        np.testing.assert_array_equal(default, ask(service, samples, "?speech_only=True")[0])


def test_the_configuration_says_what_requests_get_that_do_not(service: Service, plain: Service) -> None:
    assert service.get("/info").json()["limits"]["speech_only"] is True
    assert plain.get("/info").json()["limits"]["speech_only"] is False
    paused, _ = ask(service, MOSTLY_PAUSE)
    whole, quality = ask(plain, MOSTLY_PAUSE)
    assert quality["embedded_s"] == 12
    np.testing.assert_array_equal(whole, ask(service, MOSTLY_PAUSE, "?speech_only=false")[0])
    np.testing.assert_array_equal(paused, ask(plain, MOSTLY_PAUSE, "?speech_only=true")[0])


def test_comparisons_too(service: Service) -> None:
    sides = [wav(VOICE)], [wav(MOSTLY_PAUSE), wav(VOICE)]
    both = service.compare(*sides).json()
    assert both["a"]["quality"]["embedded_s"] == 3
    paused, voice = (quality["embedded_s"] for quality in both["b"]["quality"])
    assert 2.5 < paused < 4.5 and voice == 3
    parts = [("a", ("a.wav", sides[0][0])), *(("b", ("b.wav", clip)) for clip in sides[1])]
    whole = service.post("/compare?speech_only=false", files=parts).json()
    assert [quality["embedded_s"] for quality in whole["b"]["quality"]] == [12, 3]
    assert both["score"] > whole["score"] and both["b"]["coherence"] > whole["b"]["coherence"]


def test_little_speech_is_warned_of(service: Service) -> None:
    short = ask(service, np.concatenate([noise(6.0), VOICE[: int(1.2 * RATE)]]))[1]
    assert 0 < short["speech_s"] < 2 and "low_speech" in short["warnings"] and "no_speech" not in short["warnings"]
    share = ask(service, np.concatenate([noise(25.0), VOICE]))[1]
    assert 2 < share["speech_s"] < 5 and "low_speech" in share["warnings"]


@pytest.mark.parametrize("kind", [*TELEPHONE, "noise"])
def test_telephone_tones_and_noise_are_no_speech(service: Service, kind: str) -> None:
    samples = TELEPHONE[kind] if kind in TELEPHONE else noise(5.0, 0.05)
    embedding, quality = ask(service, samples)
    assert {"low_speech", "no_speech"} <= set(quality["warnings"]) and quality["speech_s"] == 0
    assert quality["embedded_s"] == quality["used_s"]
    np.testing.assert_array_equal(embedding, ask(service, samples, "?speech_only=false")[0])


def test_what_is_not_understood_is_refused(service: Service) -> None:
    assert problem(service.embed(wav(VOICE), "?speech_only=yes")) == "bad-request"
    assert problem(service.post("/diarize?speech_only=true", data=wav(VOICE))) == "bad-request"
