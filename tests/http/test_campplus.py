"""A CAM++ behind the service: a small one always, the published one where it was fetched."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from contract import judge
from conversation import diarize
from service import ROOT, Service, voice, wav_float

sys.path.insert(0, str(ROOT / "tools"))

from vptools import safetensors_header  # noqa: E402

GOLDEN = ROOT / "tests/golden"
FETCHED = ROOT / "models/campplus.safetensors"


@pytest.mark.parametrize("n_frames", [98, 401])
def test_it_answers_what_pytorch_does(n_frames: int) -> None:
    samples = np.load(GOLDEN / "signal.npy")[: 400 + 160 * (n_frames - 1)]
    expected = np.load(GOLDEN / f"campplus/t{n_frames:03d}/embedding.npy")
    with Service(model=GOLDEN / "campplus/net.safetensors") as service:
        answer = service.post("/embed?speech_only=false&normalize=false", data=wav_float(samples / 32768)).json()
    assert answer["dim"] == 24 and answer["audio"]["frames"] == n_frames
    assert np.abs(np.array(answer["embedding"]) - expected).max() <= 1e-3 * np.linalg.norm(expected)


def test_what_its_file_says_is_what_holds(tmp_path: Path) -> None:
    model = Path(shutil.copy(GOLDEN / "campplus/net.safetensors", tmp_path / "mine.safetensors"))
    said = {"license": "Apache-2.0", "origin": "somebody", "diarize_threshold": "0.51", "threshold": "0.25",
            "calibration_slope": "8", "calibration_offset": "-2"}
    safetensors_header.update_metadata(model, said)
    with Service(model=model) as service:
        response = service.get("/info")
        judge(response, "/info", "GET")
        info, details = response.json(), response.json()["model_details"]
        assert (details["network"], details["front_end"]) == ("campplus", "povey")
        assert (details["license"], details["origin"]) == ("Apache-2.0", "somebody")
        assert (info["threshold"], info["calibration"]) == (0.25, {"slope": 8, "offset": -2})
        assert info["self_test"] == {**info["self_test"], "passed": True, "has_reference": False}
        compared = service.post("/compare", files=[("a", voice(1)), ("b", voice(1))]).json()
        assert compared["threshold"] == 0.25 and compared["same_speaker"] is True
        talked = diarize(service)
        judge(talked, "/diarize", "POST")
        assert talked.json()["threshold"] == 0.51 and talked.json()["num_speakers"] >= 1


def test_terms_that_a_file_does_not_state_are_null_or_spelled_otherwise(tmp_path: Path) -> None:
    model = Path(shutil.copy(GOLDEN / "models/small.safetensors", tmp_path / "mine.safetensors"))
    for said, license in (({}, None), ({"licence": "CC-BY-4.0"}, "CC-BY-4.0")):
        safetensors_header.update_metadata(model, said)
        with Service(model=model) as service:
            details = service.get("/info").json()["model_details"]
            assert (details["license"], details["origin"]) == (license, None)


def test_the_fetched_one_passes_its_own_test() -> None:
    if not FETCHED.exists():
        pytest.skip("left out: models/campplus.safetensors is not here; make model-campplus fetches it")
    with Service(model=FETCHED) as service:
        info = service.get("/info").json()
        assert info["self_test"]["has_reference"] is True and info["self_test"]["cosine"] > 0.999999
        assert info["dim"] == 192 and info["model_details"]["license"] == "Apache-2.0"
        answer = service.post("/embed", data=voice(seconds=3))
        judge(answer, "/embed", "POST")
        assert answer.json()["dim"] == len(answer.json()["embedding"]) == 192
