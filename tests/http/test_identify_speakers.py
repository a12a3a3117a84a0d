"""POST /diarize?identify=true: names for the speakers of a conversation."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import requests
from contract import judge_body
from conversation import CALL, NDJSON, two_voices
from service import ROOT, Service, problem, wav
from voices import Voices, serve

SPEECH_DIR = Path(os.environ.get("SPEECH_DIR", ROOT / "../shared/audio"))


def ask(known: Voices, audio: bytes, query: str = "", **kwargs: object) -> requests.Response:
    return known.call("POST", f"/diarize?identify=true{query}", "/diarize", data=audio, **kwargs)


def speakers(known: Voices, audio: bytes, query: str = "") -> list[np.ndarray]:
    answer = known.call("POST", f"/diarize?embeddings=true{query}", "/diarize", data=audio).json()
    return [np.array(speaker["embedding"]) for speaker in answer["speakers"]]


def names(answer: requests.Response) -> list[str | None]:
    assert answer.status_code == 200, answer.text
    return [speaker["identity"] for speaker in answer.json()["speakers"]]


def refused(answer: requests.Response, field: str) -> str:
    assert (answer.status_code, problem(answer), answer.json()["field"]) == (400, "bad-request", field), answer.text
    return str(answer.json()["detail"])


def test_each_speaker_has_a_name_or_none(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db", unknown_prior=0.3) as service:
        known = Voices(service)
        one, other = speakers(known, CALL, "&num_speakers=2")
        assert names(ask(known, CALL, "&num_speakers=2")) == [None, None]
        assert {(s["score"], s["probability"]) for s in ask(known, CALL).json()["speakers"]} == {(None, None)}
        known.put("grace", [other])
        known.put("ada", [one], "?collection=acme")
        assert names(ask(known, CALL, "&num_speakers=2&collection=nobody")) == [None, None]
        answer = ask(known, CALL, "&num_speakers=2&collection=acme").json()
        assert [s["identity"] for s in answer["speakers"]] == ["ada", None]
        assert answer["identification"] == {"collection": "acme", "threshold": 0.6, "unknown_prior": 0.3}
        assert answer["speakers"][0]["score"] == pytest.approx(1, abs=1e-6) and answer["speakers"][0]["probability"] > 0.99
        assert answer["speakers"][1]["score"] == pytest.approx(one @ other, abs=1e-5), "of the most similar, where nobody is named"
        known.put("ada", [one])
        assert names(ask(known, CALL, "&num_speakers=2")) == ["ada", "grace"]
        plain = known.call("POST", "/diarize?num_speakers=2&identify=false", "/diarize", data=CALL).json()
        assert "identification" not in plain and all("identity" not in speaker for speaker in plain["speakers"])


def test_two_speakers_are_never_one_voice(tmp_path: Path) -> None:
    """Their mean is alike to both, so by itself each would be named."""
    with serve(tmp_path / "v.db", threshold=-1, calibration="50,0") as service:
        known = Voices(service)
        one, other = speakers(known, CALL, "&num_speakers=2&threshold=0.6")
        mean = one + 1.02 * other
        known.put("ada", [mean])
        for probe in (one, other):
            assert known.identify(probe).json()["identity"] == "ada"
        assert names(ask(known, CALL, "&num_speakers=2")) == [None, "ada"]
        # Ada is the best for both, and bob the next best for one of them.
        aside = np.random.default_rng(1).standard_normal(known.dim)
        aside -= np.linalg.lstsq(np.stack([one, other], axis=1), aside, rcond=None)[0] @ np.stack([one, other])
        likeness = one @ mean / np.linalg.norm(mean) - 0.02
        known.put("bob", [likeness * one + np.sqrt(1 - likeness**2) * aside / np.linalg.norm(aside)])
        assert known.identify(one).json()["identity"] == "ada"
        assert names(ask(known, CALL, "&num_speakers=2")) == ["bob", "ada"]


def test_a_stale_voice_is_nobody(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db") as service:
        known = Voices(service)
        for i, embedding in enumerate(speakers(known, CALL, "&num_speakers=2")):
            known.put(f"v{i}", [embedding])
        assert names(ask(known, CALL, "&num_speakers=2")) == ["v0", "v1"]
    with serve(tmp_path / "v.db", model=ROOT / "models/voiceprint.safetensors") as service:
        assert not any(names(ask(Voices(service), CALL, "&num_speakers=2")))


def test_lines_of_progress_end_with_names(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db") as service:
        known = Voices(service)
        known.put("ada", [speakers(known, CALL, "&num_speakers=2")[0]])
        answer = service.post("/diarize?identify=true&num_speakers=2", data=CALL, headers={**NDJSON, "X-Request-Id": "in-lines"})
        last = json.loads(answer.text.splitlines()[-1])
        judge_body(last, "/diarize", "POST", 200, "application/json")
        assert [s["identity"] for s in last["speakers"]] == ["ada", None]


def test_what_it_leaves_behind(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db") as service:
        known = Voices(service)
        known.put("ada-of-acme", [speakers(known, CALL, "&num_speakers=2")[0]])
        ask(known, CALL, "&num_speakers=2", headers={"X-Request-Id": "audited"})
        assert [len([line for line in service.log_lines(event) if line["request_id"] == "audited"])
                for event in ("voice-identified", "voice-unknown")] == [1, 1]
        assert [service.metric("voiceprintd_identify_total", result=result) for result in ("known", "unknown")] == [1, 1]
        assert "ada-of-acme" not in service.log()


def test_what_does_not_go_with_it(tmp_path: Path) -> None:
    with Service() as service:
        detail = refused(Voices(service).call("POST", "/diarize?identify=true", "/diarize", data=CALL), "identify")
        assert "known voices are off" in detail
    with serve(tmp_path / "v.db") as service:
        known = Voices(service)
        stereo = wav(np.stack([two_voices(), two_voices()], axis=1).ravel(), channels=2)
        refused(ask(known, stereo, "&channel=split"), "identify")
        refused(ask(known, CALL, "&format=rttm"), "format")
        refused(ask(known, CALL, "&identify=true"), "identify")
        refused(known.call("POST", "/diarize?identify=yes", "/diarize", data=CALL), "identify")
        refused(known.call("POST", "/diarize?collection=acme", "/diarize", data=CALL), "collection")
        for part in ("identify", "collection"):  # they decide what a key may do, before the body is there
            refused(known.call("POST", "/diarize", "/diarize", files=[("file", CALL), (part, (None, "true"))]), part)
        refused(known.call("POST", "/diarize?identify=true", "/diarize", files=[("file", stereo), ("channel", (None, "split"))]), "identify")


def test_a_key_needs_both_scopes(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("everything\nembeds embed\nfinds identify\nboth embed,identify collection=acme\n")
    with serve(tmp_path / "v.db", api_keys_file=keys) as service:
        everything = Voices(service, "everything")
        for i, embedding in enumerate(speakers(everything, CALL, "&num_speakers=2")):
            everything.put(f"v{i}", [embedding], f"?collection={('acme', 'rival')[i]}")
        for key, wanted in (("embeds", "identify"), ("finds", "embed")):
            answer = ask(Voices(service, key), CALL)
            assert (answer.status_code, problem(answer), answer.json()["field"]) == (403, "forbidden-scope", wanted)
        both = Voices(service, "both")
        assert names(ask(both, CALL, "&num_speakers=2")) == ["v0", None], "of its own collection alone"
        assert problem(ask(both, CALL, "&collection=rival")) == "forbidden-collection"
        assert both.call("POST", "/diarize", "/diarize", data=CALL).ok, "without a word of collections"


def pieces() -> dict[str, list[Path]]:
    """Clips of speakers that have six or more, by speaker."""
    if not (SPEECH_DIR / "clips.csv").is_file():
        if os.environ.get("RECORDINGS") == "required":
            pytest.fail(f"SPEECH_DIR has no clips.csv: {SPEECH_DIR}")
        pytest.skip("left out: names in conversations of real speech; SPEECH_DIR names no folder")
    of: dict[str, list[Path]] = {}
    with (SPEECH_DIR / "clips.csv").open() as file:
        for row in csv.DictReader(file):
            of.setdefault(row["speaker"], []).append(SPEECH_DIR / row["clip"])
    return {speaker: clips for speaker, clips in of.items() if len(clips) >= 6}


def samples(clip: Path) -> np.ndarray:
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", clip, "-f", "f32le", "-ac", "1", "-ar", "16000", "-"],
                         capture_output=True, timeout=60, check=True).stdout
    return np.frombuffer(raw, dtype=np.float32)


def test_real_people(tmp_path: Path) -> None:
    """Two of three are known, from other recordings than those they are heard in."""
    of = pieces()
    people = list(of)[:3]
    turns = [(who, samples(of[who][i])) for i in range(3, 6) for who in people]
    talk = np.concatenate([np.concatenate([turn, np.zeros(4800, np.float32)]) for _, turn in turns])
    ends = np.cumsum([len(turn) + 4800 for _, turn in turns]) / 16000
    with Service(voices=f"sqlite:{tmp_path / 'v.db'}", model=ROOT / "models/voiceprint.safetensors", enrol_min_speech_s=5) as service:
        known = Voices(service)
        for who in people[:2]:
            assert known.send(who, [clip.read_bytes() for clip in of[who][:3]]).json()["enrolled"]
        body = ask(known, wav(talk), "&num_speakers=3").json()
        heard = {speaker["speaker"]: np.zeros(3) for speaker in body["speakers"]}
        for turn in body["segments"]:
            middle = (turn["start"] + turn["end"]) / 2
            heard[turn["speaker"]][np.searchsorted(ends, middle) % 3] += turn["end"] - turn["start"]
        for speaker in body["speakers"]:
            who = int(heard[speaker["speaker"]].argmax())
            assert speaker["identity"] == (people[who] if who < 2 else None), body["speakers"]
            assert who == 2 or (speaker["probability"] > 0.5 and speaker["score"] >= body["identification"]["threshold"])
        assert {int(times.argmax()) for times in heard.values()} == {0, 1, 2}
        for n in (4, 6):  # more speakers than people: each has a name once all the same
            given = [name for name in names(ask(known, wav(talk), f"&num_speakers={n}")) if name is not None]
            assert len(given) == len(set(given)) and set(given) <= set(people[:2]) and given
