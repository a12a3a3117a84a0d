#!/usr/bin/env python3
"""Takes the pictures of the pages for the README: `make screenshots` writes them into docs/.

The server runs as a user starts it, with the model that is there; the voices are generated ones.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from array import array
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "http"), str(HERE.parents[1] / "tools" / "pages")]

from ask import full_size_model, start  # noqa: E402
from browser import DESKTOP, PHONE, Browser  # noqa: E402
from service import Service  # noqa: E402
from test_docs import open_docs, unfold  # noqa: E402
from voices import CLIPS, Voice, save, speak, write  # noqa: E402

# As unlike as people are, or more: generated vowels say less than speech does.
PEOPLE = {"ada": Voice(190, 1.12, 0.02), "bruno": Voice(88, 0.88, 0.02),
          "carla": Voice(255, 1.36, 0.25), "david": Voice(128, 1.02, 0.3)}
SENTENCES = ("aieoaueia", "eoiauoeai", "oaeuiaoei")
TALK = ("ada", "bruno", "carla", "ada", "carla", "bruno", "ada", "bruno", "carla")
PAUSE = array("h", bytes(2 * 8000))  # half a second


def two_voices(page: Browser, service: Service, clips: list[Path]) -> None:
    page.open(service.url + "/")
    page.choose("a", clips[0], clips[1])
    page.choose("b", clips[2])
    page.settled("a", 2)
    page.verdict()


def many_clips(page: Browser, service: Service, clips: list[Path]) -> None:
    page.open(service.url + "/#many")
    page.choose("many", *clips)
    page.settled("many", len(clips))
    page.wait("the matrix", lambda: len(page.all(".matrix tbody tr")) == len(clips))


def write_talk(file: Path) -> Path:
    """Three people taking turns."""
    samples = array("h", PAUSE)
    for i, person in enumerate(TALK):
        samples += speak(PEOPLE[person], SENTENCES[i % len(SENTENCES)]) + PAUSE
    return save(file, samples)


def who_spoke_when(page: Browser, service: Service, talk: Path) -> None:
    page.open(service.url + "/#talk")
    page.choose("talk", talk)
    page.settled("talk")
    page.wait("the turns", lambda: page.all(".turn"))


def contract(page: Browser, service: Service) -> None:
    block = open_docs(page, service.url)["POST /compare"]
    unfold(page, block)
    page.driver.execute_script("document.activeElement.blur()")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=Path("docs"), help="folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, start(model=full_size_model()) as service:
        folder = Path(scratch)
        few = [write(folder / name, *voice) for name, voice in CLIPS.items()]
        many = [write(folder / f"{person}-{i + 1}.wav", voice, sentence)
                for person, voice in PEOPLE.items() for i, sentence in enumerate(SENTENCES)]
        page = Browser(folder / "profile", few[0])
        try:
            for size, scheme, suffix in ((DESKTOP, "light", ""), (PHONE, "dark", "-phone")):
                page.look(size, scheme)
                two_voices(page, service, few)
                page.screenshot(out / f"two-voices{suffix}.png")
            page.look()
            many_clips(page, service, many)
            page.screenshot(out / "many-clips.png")
            who_spoke_when(page, service, write_talk(folder / "talk.wav"))
            page.screenshot(out / "who-spoke-when.png")
            contract(page, service)
            page.screenshot(out / "contract.png", most_high=1500)
        finally:
            page.close()


if __name__ == "__main__":
    main()
