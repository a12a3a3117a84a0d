"""Many clips: the matrix, the groups, the plane, the table to take away."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from ask import embed
from browser import Browser
from conftest import read_wav, write_wav
from service import Service


@pytest.fixture
def five(tmp_path: Path, voices: dict[str, Path]) -> list[Path]:
    """Three of voice A, two of voice B."""
    clips = [voices["a-1"], voices["a-2"], voices["b-1"]]
    a, b = read_wav(voices["a-1"]), read_wav(voices["b-1"])
    clips.append(write_wav(tmp_path / "a-3.wav", a[3000:33000]))
    clips.append(write_wav(tmp_path / "b-2.wav", b[3000:33000]))
    return clips


def shown(page: Browser) -> dict[tuple[str, str], float]:
    """The heat map as {(row clip, column clip): score}."""
    names = [head.text.split(" ", 1)[1] for head in page.all(".matrix tbody th")]
    cells = [float(cell.text.replace("\N{MINUS SIGN}", "-")) for cell in page.all(".matrix td")[1:]]
    return {(row, column): cells[i * len(names) + j]
            for i, row in enumerate(names) for j, column in enumerate(names)}


def fill(page: Browser, service: Service, clips: list[Path]) -> None:
    page.open(service.url + "/#many")
    page.choose("many", *clips)
    page.settled("many", len(clips))
    page.wait("the matrix", lambda: len(page.all(".matrix tbody tr")) == len(clips))


def test_matrix_holds_every_pair(page: Browser, service: Service, five: list[Path]) -> None:
    fill(page, service, five)
    vectors = {clip.name: numpy.array(embed(service, clip)["embedding"]) for clip in five}
    scores = shown(page)
    assert len(scores) == 25
    for (row, column), score in scores.items():
        assert score == pytest.approx(vectors[row] @ vectors[column], abs=0.0051)


def test_groups_follow_the_line(page: Browser, service: Service, five: list[Path]) -> None:
    fill(page, service, five)
    slider = page.find("#line")

    def groups_at(value: float) -> list[set[str]]:
        page.driver.execute_script("arguments[0].value = arguments[1]; arguments[0].oninput()",
                                   slider, value)
        return [set(item.text.split(", ")) for item in page.all(".groups li")]

    assert len(groups_at(-0.2)) == 1
    assert len(groups_at(1)) == 5
    framed = len(page.all(".matrix td.pass"))
    assert framed == 0
    middle = service.get("/info").json()["threshold"]
    names = {clip.name for clip in five}
    assert set().union(*groups_at(middle)) == names


def test_line_starts_at_the_threshold_of_the_service(page: Browser, service: Service,
                                                     five: list[Path]) -> None:
    fill(page, service, five)
    assert float(page.find("#line").get_attribute("value")) == pytest.approx(
        service.get("/info").json()["threshold"], abs=0.0051)
    assert "threshold of the service" in page.find("#many-result").text


def test_plane_is_the_pca_of_the_embeddings(page: Browser, service: Service, five: list[Path]) -> None:
    fill(page, service, five)
    names = [head.text.split(" ", 1)[1] for head in page.all(".matrix tbody th")]
    drawn = {}
    for group in page.all(".map g"):
        number = int(group.find_element("css selector", "text").text)
        dot = group.find_element("css selector", "circle")
        drawn[names[number - 1]] = [float(dot.get_attribute("cx")), float(dot.get_attribute("cy"))]
    points = numpy.array([drawn[name] for name in names])
    vectors = numpy.array([embed(service, next(c for c in five if c.name == n))["embedding"]
                           for n in names])
    centred = vectors - vectors.mean(0)
    left, values, _ = numpy.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * values[:2]
    # Up to reflection and one scale: all distances are in one proportion.
    pairs = numpy.triu_indices(5, 1)

    def distances(of: numpy.ndarray) -> numpy.ndarray:
        return numpy.linalg.norm(of[pairs[0]] - of[pairs[1]], axis=1)

    ratio = distances(points) / distances(expected)
    assert ratio == pytest.approx(numpy.full(10, ratio.mean()), rel=1e-3)
    kept = 100 * (values[:2] ** 2).sum() / (values ** 2).sum()
    assert f"carry {kept:.0f} %" in page.find("#many-result").text


def test_a_clip_that_fails_stays_out(page: Browser, service: Service, five: list[Path],
                                     tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("nothing to hear\n" * 100)
    page.open(service.url + "/#many")
    page.choose("many", *five[:3], bad)
    page.settled("many", 4)
    page.wait("the matrix", lambda: len(page.all(".matrix tbody tr")) == 3)
    assert "bad.wav" not in page.find("#many-result").text


def test_both_views_can_be_left_and_found_again(page: Browser, service: Service,
                                                voices: dict[str, Path]) -> None:
    page.choose("a", voices["a-1"])
    page.settled("a")
    page.find("#nav-many").click()
    assert not page.find("#two").is_displayed() and page.find("#many").is_displayed()
    assert page.find("#nav-many").get_attribute("aria-current") == "page"
    page.driver.back()
    page.wait("the first view", lambda: page.find("#two").is_displayed())
    assert len(page.cards("a")) == 1


def test_a_folder_of_clips(page: Browser, service: Service, five: list[Path]) -> None:
    clips = [five[i % 5] for i in range(30)]
    page.open(service.url + "/#many")
    for start in range(0, 30, 5):
        page.choose("many", *clips[start:start + 5])
    assert {card.get_attribute("data-state") for card in page.settled("many", 30)} == {"ready"}
    page.wait("the matrix", lambda: len(page.all(".matrix tbody tr")) == 30)
