"""What the service itself says about clips: what the page must show."""

from __future__ import annotations

from pathlib import Path

from service import ROOT, SMALL, UNTRAINED, Service

SHIPPED = ROOT / "models" / "voiceprint.safetensors"


def is_trained() -> bool:
    return SHIPPED.exists()


def full_size_model() -> Path:
    """A second of work for a minute of speech."""
    return SHIPPED if is_trained() else UNTRAINED


def start(**options: object) -> Service:
    """With the trained model where there is one, else with random weights: enough for a page."""
    options.setdefault("model", SHIPPED if is_trained() else SMALL)
    return Service(**options)


def embed(service: Service, clip: Path) -> dict:
    answer = service.embed(clip.read_bytes())
    answer.raise_for_status()
    return answer.json()


def compare(service: Service, a: list[Path], b: list[Path]) -> dict:
    answer = service.compare([clip.read_bytes() for clip in a], [clip.read_bytes() for clip in b])
    answer.raise_for_status()
    return answer.json()
