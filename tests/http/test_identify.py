"""POST /identify: who of the known voices it is, or nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from service import Service, voice
from voices import OFFSET, SLOPE, Voices, axis, near, serve


def posterior(scores: np.ndarray, unknown_prior: float) -> tuple[np.ndarray, float]:
    """The formula of the contract in float64, nothing left out."""
    weights = (1 - unknown_prior) / len(scores) * np.exp(SLOPE * scores + OFFSET)
    total = unknown_prior + weights.sum()
    return weights / total, unknown_prior / total


def test_probabilities_are_those_of_the_formula(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with serve(tmp_path / "v.db", unknown_prior=0.2) as service:
        known = Voices(service)
        d = known.dim
        probe = axis(0, d)
        cosines = {f"v{i:03d}": c for i, c in enumerate(rng.uniform(-0.9, 0.75, 300))}
        for i, (name, cosine) in enumerate(cosines.items()):
            known.put(name, [near(cosine, 0, 1 + i % (d - 1), d)])
        order = sorted(cosines, key=lambda name: -cosines[name])
        p, unknown = posterior(np.array([cosines[name] for name in order]), 0.2)
        for top in (1, 5, 100):
            body = known.identify(probe, f"?top={top}").json()
            assert [c["id"] for c in body["candidates"]] == order[:top] and body["voices"] == 300
            assert [c["score"] for c in body["candidates"]] == pytest.approx([cosines[name] for name in order[:top]], abs=1e-5)
            assert [c["probability"] for c in body["candidates"]] == pytest.approx(p[:top], rel=4e-3)
            assert body["unknown_probability"] == pytest.approx(unknown, rel=4e-3) and body["unknown_prior"] == 0.2
        assert p[0] < 0.5 and known.identify(probe).json()["identity"] is None, "above the threshold, but not the only one"


def test_more_voices_want_more_likeness(tmp_path: Path) -> None:
    """A score that is enough among few is not among many: so strangers are not accepted more as voices come."""
    with serve(tmp_path / "v.db") as service:
        known = Voices(service)
        d = known.dim
        known.put("ada", [axis(0, d)])
        probe = near(0.68, 0, d - 1, d)
        assert known.identify(probe).json()["identity"] == "ada"
        for i in range(20):
            known.put(f"v{i}", [axis(1 + i % (d - 2), d)])
        body = known.identify(probe).json()
        assert body["identity"] is None and body["candidates"][0]["id"] == "ada"
        assert body["unknown_probability"] > body["candidates"][0]["probability"]
        assert known.identify(near(0.9, 0, d - 1, d)).json()["identity"] == "ada"
        assert known.identify(near(0.9, 0, d - 1, d), "?threshold=0.95").json()["identity"] is None


def test_one_person_under_two_ids_is_neither(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db") as service:
        known = Voices(service)
        known.put("ada", [axis(0, known.dim)]), known.put("lovelace", [axis(0, known.dim)])
        body = known.identify(axis(0, known.dim)).json()
        assert body["identity"] is None and body["candidates"][0]["probability"] == pytest.approx(0.5, abs=0.01)


def test_without_calibration_the_threshold_decides(tmp_path: Path) -> None:
    with Service(voices=f"sqlite:{tmp_path / 'v.db'}", threshold=0.5) as service:
        known = Voices(service)
        d = known.dim
        known.put("ada", [axis(0, d)])
        body = known.identify(near(0.51, 0, 1, d)).json()
        assert body["identity"] == "ada" and body["unknown_probability"] is None and body["candidates"][0]["probability"] is None
        assert known.identify(near(0.49, 0, 1, d)).json()["identity"] is None
    with Service(voices=f"sqlite:{tmp_path / 'v.db'}") as service:
        body = Voices(service).identify(axis(0, d)).json()
        assert body["identity"] is None and body["threshold"] is None and body["candidates"][0]["score"] == pytest.approx(1)


def test_recordings(tmp_path: Path) -> None:
    with serve(tmp_path / "v.db", enrol_min_speech_s=0) as service:
        known = Voices(service)
        clip = voice(1, 4)
        for answer in (known.call("POST", "/identify", "/identify", data=clip), known.call("POST", "/identify", "/identify", files={"file": clip})):
            body = answer.json()
            assert body["identity"] is None and body["voices"] == 0 and body["unknown_probability"] == 1
        known.send("ada", [clip])
        body = known.call("POST", "/identify", "/identify", files=[("file", clip), ("top", (None, "1"))]).json()
        assert body["identity"] == "ada" and body["side"]["clips"] == 1 and len(body["candidates"]) == 1
        assert known.call("POST", "/identify", "/identify", data=b"no sound").status_code == 415
        assert known.call("POST", "/identify", "/identify", json={"embedding": [1]}).json()["field"] == "body.embedding"
