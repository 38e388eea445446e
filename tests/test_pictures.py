"""The pictures of the pages: each is drawn by a script, from the command that the page shows beside it."""

import re
import shlex

import pytest

from benchmarks import plots
from docs import pictures
from tests.program import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))
USED = re.compile(r"!\[[^\]]+\]\(images/([^)]+)\)")


def used():
    return {name for page in PAGES for name in USED.findall(page.read_text(encoding="utf-8"))}


def outline(svg):
    """Return what a picture shows, whatever its fonts and its last digits: its texts, and how many lines there are."""
    return sorted(re.findall(r"<!-- (.*?) -->", svg)), len(re.findall(r"<(?:path|use)\b", svg))


def test_every_picture_that_a_page_uses_is_drawn_by_a_script_and_every_drawn_one_is_used():
    charts = {f"{name}.svg" for name, _ in plots.CHARTS.values()}
    assert used() <= charts | set(pictures.PICTURES)
    assert used() >= set(pictures.PICTURES)
    assert {path.name for path in pictures.IMAGES.iterdir()} <= charts | set(pictures.PICTURES)


def test_every_picture_says_in_words_what_it_shows():
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert all(len(re.findall(r"\(images/", text)) == len(USED.findall(text)) for text in texts)


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_the_page_shows_the_command_that_draws_the_picture(name):
    lines = [
        shlex.split(line)
        for page in PAGES
        for line in page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        if line.startswith("normcal plot ")
    ]
    assert ["normcal", "plot", *pictures.PICTURES[name], "-o", name] in lines


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_the_picture_on_the_page_is_what_the_script_draws(name, tmp_path):
    drawn = pictures.draw(name, tmp_path).read_text(encoding="utf-8")
    kept = (pictures.IMAGES / name).read_text(encoding="utf-8")
    assert outline(drawn) == outline(kept), "draw it anew: python -m docs.pictures"
