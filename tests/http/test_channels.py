"""One party a channel: which channel of a recording is heard, by each endpoint."""

from __future__ import annotations

import subprocess
from typing import Any

import numpy as np
import pytest
from contract import judge
from conversation import NDJSON, diarize
from service import Service, problem, speech, wav

LEFT, RIGHT = speech(3.0, seed=1, pitch_hz=95), speech(3.0, seed=2, pitch_hz=230)
BOTH = np.stack([LEFT, RIGHT], axis=1)
# The right one begins; each is silent while the other speaks.
QUIET = 0.001 * np.random.default_rng(3).standard_normal(4 * 16000).astype(np.float32)
CALL = np.stack([np.concatenate([QUIET, speech(4.0, seed=1, pitch_hz=95)]),
                 np.concatenate([speech(4.0, seed=2, pitch_hz=230), QUIET])], axis=1)


def flac(samples: np.ndarray) -> bytes:
    command = ["ffmpeg", "-v", "error", "-i", "-", "-f", "flac", "-"]
    return subprocess.run(command, input=plain(samples), capture_output=True, check=True, timeout=60).stdout


def plain(samples: np.ndarray) -> bytes:
    return wav(samples, channels=samples.ndim)


def embedding(service: Service, audio: bytes, query: str = "") -> list[float]:
    response = service.embed(audio, query)
    assert response.status_code == 200, response.text
    judge(response, "/embed", "POST")
    return response.json()["embedding"]


@pytest.mark.parametrize("write", [plain, flac])
def test_a_channel_is_the_mono_file_of_it(service: Service, write: Any) -> None:
    for words, side in ((("left", "1"), LEFT), (("right", "2"), RIGHT)):
        alone = embedding(service, write(side))
        for word in words:
            assert embedding(service, write(BOTH), f"?channel={word}") == alone
    assert embedding(service, write(BOTH), "?channel=mix") == embedding(service, write(BOTH)) != alone


def test_mixing_two_voices_warns_and_one_channel_does_not(service: Service) -> None:
    def warnings(query: str) -> list[str]:
        return service.embed(plain(BOTH), query).json()["quality"]["warnings"]

    assert "channels_differ" in warnings("") and "channels_differ" in warnings("?channel=mix")
    assert "channels_differ" not in warnings("?channel=left")
    assert service.embed(plain(BOTH), "?channel=left").json()["audio"]["channels"] == 2


def test_mono(service: Service) -> None:
    alone = embedding(service, plain(LEFT))
    assert embedding(service, plain(LEFT), "?channel=1") == embedding(service, plain(LEFT), "?channel=left") == alone


@pytest.mark.parametrize("path", ["/embed", "/diarize"])
def test_a_channel_that_is_not_there(service: Service, path: str) -> None:
    for audio, channel, n, has in ((plain(LEFT), "right", 1, "has 1 channel;"), (flac(BOTH), "3", 2, "has 2 channels")):
        response = service.post(f"{path}?channel={channel}", data=audio)
        assert problem(response) == "no-such-channel" and response.status_code == 422
        judge(response, path, "POST")
        assert has in response.json()["detail"] and response.json()["channels"] == n


def test_words(service: Service) -> None:
    for bad in ("", "0", "9", "Left", "split", "both"):
        response = service.embed(plain(BOTH), f"?channel={bad}")
        assert problem(response) == "bad-request" and response.json()["field"] == "channel", bad
    parts = {"a": ("a", plain(BOTH)), "b": ("b", plain(BOTH))}
    assert problem(service.post("/compare?channel=split", files=parts)) == "bad-request"
    assert problem(diarize(service, plain(CALL), "?channel=twice")) == "bad-request"


def test_compare_hears_one_channel_of_all(service: Service) -> None:
    parts = {"a": ("a", plain(BOTH)), "b": ("b", flac(LEFT))}
    response = service.post("/compare?channel=left", files=parts)
    judge(response, "/compare", "POST")
    assert response.json()["score"] == pytest.approx(1, abs=1e-5)
    refused = service.post("/compare?channel=right", files=parts)
    assert problem(refused) == "no-such-channel" and refused.json()["side"] == "b"


def test_as_a_field_of_a_form(service: Service) -> None:
    response = service.post("/embed", files={"file": ("a.wav", plain(BOTH))}, data={"channel": "right"})
    assert response.json()["embedding"] == embedding(service, plain(RIGHT))


def test_split_gives_each_channel_its_speakers(service: Service) -> None:
    response = diarize(service, plain(CALL), "?channel=split&embeddings=true")
    judge(response, "/diarize", "POST")
    answer = response.json()
    speakers = {speaker["speaker"]: speaker for speaker in answer["speakers"]}
    assert list(speakers) == [f"SPEAKER_{i:02d}" for i in range(answer["num_speakers"])]
    assert speakers["SPEAKER_00"]["channel"] == 2  # who begins
    assert answer["duration_s"] == pytest.approx(8, abs=0.01)
    starts = [turn["start"] for turn in answer["segments"]]
    assert starts == sorted(starts)
    for channel in (1, 2):
        one = diarize(service, plain(CALL), f"?channel={channel}&embeddings=true").json()
        assert {speaker["channel"] for speaker in one["speakers"]} == {channel}
        heard = [(turn["start"], turn["end"], speakers[turn["speaker"]]["embedding"]) for turn in answer["segments"]
                 if speakers[turn["speaker"]]["channel"] == channel]
        alone = {speaker["speaker"]: speaker["embedding"] for speaker in one["speakers"]}
        assert heard == [(turn["start"], turn["end"], alone[turn["speaker"]]) for turn in one["segments"]]
        assert heard
    assert all("channel" not in speaker for speaker in diarize(service, plain(CALL)).json()["speakers"])


def test_split_in_rttm_and_in_lines(service: Service) -> None:
    answer = diarize(service, plain(CALL), "?channel=split").json()
    of = {speaker["speaker"]: str(speaker["channel"]) for speaker in answer["speakers"]}
    text = diarize(service, plain(CALL), "?channel=split&format=rttm").text
    assert [line.split()[2] for line in text.splitlines()] == [of[turn["speaker"]] for turn in answer["segments"]]
    alone = diarize(service, plain(CALL), "?channel=right&format=rttm").text
    assert {line.split()[2] for line in alone.splitlines()} == {"2"}
    lines = diarize(service, plain(CALL), "?channel=split", headers=NDJSON).text.splitlines()
    assert f'"segments":{len(answer["segments"])}' not in lines[-1] and '"channel":2' in lines[-1]


def test_channels_count_together() -> None:
    with Service(diarize_max_duration_s=15) as service:
        assert diarize(service, plain(CALL)).status_code == 200
        response = diarize(service, plain(CALL), "?channel=split")
        assert problem(response) == "audio-too-long" and "2 channels" in response.json()["detail"]
        assert response.json()["duration_s"] == pytest.approx(16, abs=0.01) and response.json()["limit_s"] == 15
        assert diarize(service, plain(CALL), "?channel=left").status_code == 200
