"""models/README.md, the cards of the models: what they state is what lies there, or what is fetched."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
DATA = (MODELS / "voiceprint.safetensors").read_bytes()
CARDS = {text.partition("\n")[0]: text for text in re.split(r"^# ", (MODELS / "README.md").read_text(), flags=re.M)}
CARD = CARDS["The model in the box"]


def header() -> dict:
    length = struct.unpack("<Q", DATA[:8])[0]
    return json.loads(DATA[8:8 + length])


def test_the_card_is_of_this_file() -> None:
    assert f"sha256:{hashlib.sha256(DATA).hexdigest()}" in CARD
    assert len(DATA) <= 14_000_000


def test_threshold_and_calibration() -> None:
    said = header()["__metadata__"]
    assert f"cosine {said['threshold']};" in CARD
    assert f"{said['calibration_slope']} x cosine - {said['calibration_offset'].removeprefix('-')}" in CARD
    assert float(said["calibration_offset"]) < 0
    crossing = -float(said["calibration_offset"]) / float(said["calibration_slope"])
    assert abs(crossing - float(said["threshold"])) < 1e-4


def test_structure_and_terms() -> None:
    tensors = {name: entry for name, entry in header().items() if name != "__metadata__"}
    assert f"{len(tensors)} tensors, float16" in CARD and len(tensors) == 182
    assert {entry["dtype"] for entry in tensors.values()} == {"F16"}
    said = header()["__metadata__"]
    assert said["licence"].replace("-", " ", 1).replace("-", " ") in CARD
    assert len(json.loads(said["self_test"])) == 256
    for corpus in ("speechocean762", "LibriSpeech", "Google Speech Commands v1", "Arabic Speech Commands",
                   "Alphanumeric Audio Dataset"):
        assert corpus in said["training_data"] and corpus in CARD


def test_every_corpus_has_an_error_rate_and_every_picture_is_there() -> None:
    rows = re.findall(r"^\| .* \| ([0-9,]+) \| (?:\*\*)?([0-9.]+)(?:\*\*)? ?(?:\[.*?\])? \|", CARD, re.M)
    assert len(rows) == 7 and sum(int(n.replace(",", "")) for n, _ in rows[1:]) <= 1030
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", CARD):
        assert (MODELS / picture).is_file(), picture


def test_the_card_of_campplus_is_of_the_file_that_is_fetched() -> None:
    card = CARDS["CAM++, fetched"]
    said = json.loads((ROOT / "tools/vptools/campplus.json").read_text())
    pinned = re.search(r'models/campplus\.safetensors"\),\s+"([0-9a-f]{64})"', (ROOT / "tools/get_weights.py").read_text())
    assert pinned and f"sha256:{pinned[1]}" in card
    assert f"cosine {said['threshold']};" in card and said["license"] in card and said["source"] in card
    assert f"{said['calibration_slope']} x cosine - {-said['calibration_offset']}" in card
    assert abs(-said["calibration_offset"] / said["calibration_slope"] - said["threshold"]) < 1e-4
    assert f"at least {said['diarize_threshold']} alike" in card
    assert len(said["self_test"]) == 192 and abs(sum(x * x for x in said["self_test"]) - 1) < 1e-5
    assert said["name"] in (ROOT / "NOTICE").read_text()
