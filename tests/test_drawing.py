"""Pictures kept in the store: found only where the same would be drawn, and never a broken one."""

import os
import time
from dataclasses import replace

import pytest

from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.report import figure_files
from evidence.report.figure_files import (
    CACHE_VARIABLE,
    FORMATS,
    prune_cache,
    render_cached,
    render_formats,
)
from evidence.report.figure_identity import figure_record


@pytest.fixture
def store(tmp_path, monkeypatch):
    folder = tmp_path / "store"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def layout(project):
    from evidence.analysis.results import select_results

    return lay_out_arm_comparison(select_results(project.dataset()), outcome="risen")


@pytest.fixture
def no_drawing(monkeypatch):
    def refuse(layout):
        raise AssertionError("it was drawn")

    return lambda: monkeypatch.setattr(figure_files, "draw", refuse)


def test_what_was_drawn_once_is_not_drawn_again(layout, store, no_drawing):
    first = render_cached(layout, "fig-a@1234567")
    no_drawing()
    assert render_cached(layout, "fig-a@1234567") == first
    assert sorted(path.suffix[1:] for path in store.iterdir()) == sorted(FORMATS)


def test_it_is_what_is_drawn_without_a_store(layout, store, monkeypatch):
    kept = [render_cached(layout, "fig-a@1234567") for _ in range(2)][1]
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert render_cached(layout, "fig-a@1234567") == kept


@pytest.mark.parametrize("change", ["name", "title", "number"])
def test_anything_that_decides_the_picture_has_it_drawn_anew(layout, store, no_drawing, change):
    render_cached(layout, "fig-a@1234567")
    name, other = "fig-a@1234567", layout
    if change == "name":
        name = "fig-a@7654321"
    elif change == "title":
        other = replace(layout, title="Another")
    else:
        frame = layout.frame.copy()
        column = frame.select_dtypes("float").columns[0]
        frame[column] = frame[column] + 1e-12
        other = replace(layout, frame=frame)
    no_drawing()
    with pytest.raises(AssertionError, match="it was drawn"):
        render_cached(other, name)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-9], lambda raw: raw[:40] + b"x" + raw[41:]])
def test_a_broken_file_is_drawn_again_and_mended(layout, store, damage, no_drawing):
    first = render_cached(layout, "fig-a@1234567")
    for path in store.iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert render_cached(layout, "fig-a@1234567") == first
    no_drawing()
    assert render_cached(layout, "fig-a@1234567") == first


def test_a_store_that_cannot_be_made_is_done_without(layout, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    assert set(render_cached(layout, "fig-a@1234567")) == set(FORMATS)


def test_one_picture_serves_reports_with_other_parameters(layout, store, project, no_drawing):
    dataset = project.dataset()
    one, other = (
        figure_record(layout, dataset, report="02_comparison", parameters={"confidence": level})
        for level in (0.9, 0.95)
    )
    first = render_formats(layout, one)
    no_drawing()
    second = render_formats(layout, other)
    assert all(first[form] != second[form] for form in FORMATS)
    assert b"confidence=0.95" not in first["svg"]


def test_what_nobody_uses_goes(layout, store):
    render_cached(layout, "fig-a@1234567")
    old, *young = sorted(store.iterdir())
    long_ago = time.time() - 31 * 86_400
    os.utime(old, (long_ago, long_ago))
    prune_cache()
    assert sorted(store.iterdir()) == young
