"""The cache of figure files: used only where the same would be drawn, and never a broken file."""

import os
import time
from dataclasses import replace

import pytest

from evidence.analysis.results import select_results
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.report import figure_files
from evidence.report.figure_files import CACHE_VARIABLE, FORMATS, prune_cache, render_figure
from evidence.report.figure_identity import figure_record


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def layout(project):
    dataset = project.dataset()
    return lay_out_arm_comparison(dataset, select_results(dataset), outcome="risen")


@pytest.fixture
def record(layout, project):
    return figure_record(layout, project.dataset())


@pytest.fixture
def refuse_to_draw(monkeypatch):
    def draw(layout, width):
        raise AssertionError("the figure was drawn")

    return lambda: monkeypatch.setattr(figure_files, "draw", draw)


def test_a_cached_figure_is_not_drawn_again(layout, record, cache, refuse_to_draw):
    files = render_figure(layout, record)
    refuse_to_draw()
    assert render_figure(layout, record) == files
    assert sorted(path.suffix[1:] for path in cache.iterdir()) == sorted(FORMATS)


def test_cached_and_uncached_files_are_the_same_bytes(layout, record, cache, monkeypatch):
    render_figure(layout, record, ["svg"])
    cached = render_figure(layout, record, ["svg"])
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert render_figure(layout, record, ["svg"]) == cached


def test_a_png_is_made_from_a_cached_pdf(layout, record, cache):
    files = render_figure(layout, record, ["pdf", "png"])
    for path in cache.glob("*.png"):
        path.unlink()
    assert render_figure(layout, record, ["pdf", "png"])["png"] == files["png"]


@pytest.mark.parametrize("change", ["title", "number", "row", "parameters"])
def test_whatever_a_file_shows_or_says_has_it_drawn_again(
    layout, record, project, cache, refuse_to_draw, change
):
    render_figure(layout, record, ["svg"])
    parameters = {}
    if change == "title":
        layout = replace(layout, title="Another")
    elif change == "number":
        layout = replace(layout, frame=layout.frame.assign(rd=layout.frame["rd"] + 1e-9))
    elif change == "row":
        project.put("data/studies.csv", 2, locator="Table 2")
    else:
        parameters = {"scope": "all"}
    refuse_to_draw()
    new_record = figure_record(layout, project.dataset(), parameters=parameters)
    with pytest.raises(AssertionError, match="was drawn"):
        render_figure(layout, new_record, ["svg"])


def test_without_a_cache_folder_figures_are_drawn(layout, record, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    assert render_figure(layout, record, ["svg"])["svg"].startswith(b"<?xml")


def test_an_empty_file_in_the_cache_is_replaced(layout, record, cache):
    files = render_figure(layout, record, ["svg"])
    for path in cache.iterdir():
        path.write_bytes(b"")
    assert render_figure(layout, record, ["svg"]) == files


def test_files_that_were_not_used_for_a_month_are_removed(layout, record, cache):
    render_figure(layout, record, ["svg", "pdf"])
    old, *recent = sorted(cache.iterdir())
    month_ago = time.time() - 31 * 86_400
    os.utime(old, (month_ago, month_ago))
    prune_cache()
    assert sorted(cache.iterdir()) == recent
