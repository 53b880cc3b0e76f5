"""Figure versions, the record inside figure files, and `evidence identify`."""

import ast
import base64
import io
import json
import re
import shutil
import zlib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter

from evidence import cli
from evidence.analysis.results import select_results
from evidence.figures import layout as layout_module
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.report.figure_files import add_fine_formats, render_figure
from evidence.report.figure_identity import SHARED_MODULES, WIDTHS, figure_record, report_command
from evidence.report.figure_metadata import MAX_RECORD_BYTES, read_metadata, unpack_record
from evidence.report.identify_figure import compare_records
from tests.conftest import ROOT, finish_bakery

STUDIES = "data/studies.csv"
NAME = re.compile(r"fig-risen@[0-9a-f]{7}")


def risen(project, **options):
    """The layout of the bakery's figure and its record."""
    dataset = project.dataset()
    results = select_results(dataset, scope="core")
    layout = lay_out_arm_comparison(dataset, results, outcome="risen", **options)
    return layout, figure_record(layout, dataset, report="01_bread", parameters={"scope": "core"})


# Versions


def test_version_stays_when_rows_move_and_other_rows_change(project):
    record = risen(project)[1]
    header, *rows = project.rows(STUDIES)
    project.write(STUDIES, [header, rows[-1], *rows[:-1]])
    moved = risen(project)[1]
    assert moved.version == record.version
    assert set(moved.rows) != set(record.rows)
    project.write(STUDIES, [header, *rows[:-1]])
    assert risen(project)[1].version == record.version


@pytest.mark.parametrize(
    ("cells", "is_same"),
    [
        ({"events": "5", "as_printed": "5/20"}, False),
        ({"locator": "p. 9"}, False),
        ({"note": "Seen twice."}, True),
    ],
)
def test_version_changes_with_any_cell_of_its_rows_but_a_note(project, cells, is_same):
    version = risen(project)[1].version
    project.put(STUDIES, 3, **cells)
    assert (risen(project)[1].version == version) == is_same


def test_version_depends_on_the_confidence_level_and_not_on_the_command(project):
    layout, record = risen(project)
    assert risen(project, confidence=0.9)[1].version != record.version
    assert figure_record(layout, project.dataset(), report="another").version == record.version


def test_version_ignores_the_last_digits_of_a_number(project):
    layout, record = risen(project)
    for change, is_same in ((1e-14, True), (1e-6, False)):
        frame = layout.frame.assign(rd=layout.frame["rd"] * (1 + change))
        changed = figure_record(replace(layout, frame=frame), project.dataset())
        assert (changed.version == record.version) == is_same


def test_charts_import_only_shared_modules_so_that_their_version_covers_their_code():
    folder = Path(layout_module.__file__).parent
    for path in folder.glob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        charts = {name for name in modules if (name or "").startswith("evidence.figures.")}
        assert charts <= set(SHARED_MODULES), path.name


def test_studies_of_a_record_are_those_with_participants_of_their_own(project):
    assert [study["key"] for study in risen(project)[1].studies] == ["baker1990"]
    project.put("data/designs.csv", 2, design="narrative review")
    assert risen(project)[1].studies == []


def test_command_can_be_typed_and_leaves_out_empty_parameters():
    parameters = {"scope": "all", "conditions": ["rye bread"], "outcomes": [], "time_days": 1.0}
    assert report_command("02_comparison", parameters) == (
        "evidence report --only 02_comparison -p scope=all -p "
        "'conditions=[\"rye bread\"]' -p time_days=1.0"
    )


# Metadata


@pytest.fixture
def figures(bakery):
    """The folder of the bakery's figure files."""
    return bakery.path("reports/figures")


@pytest.fixture
def record(figures):
    content = json.loads((figures / "fig-risen.json").read_text("utf-8"))
    content.pop("files")
    return content


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png", "eps", "tiff", "600dpi.png"])
def test_every_format_holds_the_whole_record(figures, record, suffix):
    add_fine_formats(figures)
    for ending in WIDTHS.values():
        separator = "-" if "dpi" in suffix else "."
        path = figures / f"fig-risen{ending}{separator}{suffix}"
        assert read_metadata(path) == (record, "")


def test_svg_has_title_description_identifier_command_and_licence(bakery):
    shutil.copy(ROOT / "LICENSE-DATA", bakery.root)
    layout, record = risen(bakery)
    tree = ElementTree.fromstring(render_figure(layout, record, ["svg"])["svg"])
    svg, dc = "{http://www.w3.org/2000/svg}", "{http://purl.org/dc/elements/1.1/}"
    assert tree[0].text == layout.title
    assert tree[1].tag == f"{svg}desc"
    assert layout.reading[0] in tree[1].text
    texts = {
        name: "".join(tree.find(f".//{dc}{name}").itertext()).strip()
        for name in ("description", "identifier", "source", "rights")
    }
    assert texts == {
        "description": layout.alt,
        "identifier": record.name,
        "source": "evidence report --only 01_bread -p scope=core",
        "rights": "CC BY 4.0 https://creativecommons.org/licenses/by/4.0/",
    }
    assert tree.find(f".//{dc}date") is None


def test_pdf_and_png_have_title_description_and_command(figures, record):
    info = PdfReader(figures / "fig-risen.pdf").metadata
    assert (info.title, info.creator) == (record["title"], record["command"])
    assert record["alt"] in info.subject
    assert info.creation_date is None
    with Image.open(figures / "fig-risen.png") as image:
        assert image.text["Title"] == record["title"]
        assert image.text["Description"] == record["alt"]
        assert image.text["Source"] == record["command"]


@pytest.mark.parametrize(("ending", "millimetres"), [("", 180), ("-85mm", 85)])
def test_pictures_are_as_wide_as_a_column_at_their_resolution(figures, ending, millimetres):
    add_fine_formats(figures)
    content = json.loads((figures / "fig-risen.json").read_text("utf-8"))
    for name, dpi in ((".png", 300), ("-600dpi.png", 600), (".tiff", 600)):
        assert f"fig-risen{ending}{name}" in content["files"]
        with Image.open(figures / f"fig-risen{ending}{name}") as image:
            assert [round(float(dots)) for dots in image.info["dpi"]] == [dpi, dpi]
            assert image.width == pytest.approx(millimetres / 25.4 * dpi, abs=1)
    with Image.open(figures / f"fig-risen{ending}.tiff") as image:
        assert image.info["compression"] == "tiff_lzw"


@pytest.mark.parametrize(("ending", "millimetres"), [("", 180), ("-85mm", 85)])
def test_eps_has_its_width_no_date_no_type_3_font_and_short_lines(figures, ending, millimetres):
    content = (figures / f"fig-risen{ending}.eps").read_bytes()
    assert content.startswith(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    left, _, right, _ = re.search(rb"%%HiResBoundingBox: (.*)", content)[1].split()
    assert float(right) - float(left) == pytest.approx(millimetres / 25.4 * 72, abs=0.1)
    assert b"CreationDate" not in content
    assert b"/FontType 42" in content
    assert b"/FontType 3" not in content
    assert max(map(len, content.splitlines())) <= 255


def test_transparent_marks_are_blended_with_white_in_eps():
    """By hand: black at 30% on white paper is 70% grey."""
    from matplotlib.figure import Figure

    from evidence.report.figure_files import _make_opaque

    figure = Figure()
    axes = figure.add_subplot()
    (line,) = axes.plot([0, 1], color="black", alpha=0.3)
    band = axes.fill_between([0, 1], 0, 1, color="black", alpha=0.3)
    _make_opaque(figure)
    assert line.get_alpha() is None
    assert list(line.get_color()) == pytest.approx([0.7, 0.7, 0.7, 1])
    assert list(band.get_facecolor()[0]) == pytest.approx([0.7, 0.7, 0.7, 1])


def test_a_record_that_unpacks_without_end_is_not_read():
    bomb = b'{"id": "' + b"x" * (MAX_RECORD_BYTES + 1)
    assert unpack_record(base64.b64encode(zlib.compress(bomb)).decode()) is None


# The command


def identify(capsys, project, *arguments):
    code = cli.main(["identify", "--project", str(project.root), *map(str, arguments)])
    output = capsys.readouterr()
    return code, output.out, output.err


def test_a_renamed_figure_is_current(bakery, figures, tmp_path, capsys):
    path = tmp_path / "image-17"
    shutil.copy(figures / "fig-risen.png", path)
    code, out, _ = identify(capsys, bakery, path)
    assert code == 0
    assert re.match(rf"{NAME.pattern}  Risen: two arms of each study", out)
    assert re.search("command: +evidence report --only 01_bread -p scope=core", out)
    assert re.search(r"study: +Baker A\. Rising dough", out)
    assert re.search("today: +the same version", out)


def test_any_file_of_a_figure_is_known_by_its_checksum(bakery, figures, tmp_path, capsys):
    path = tmp_path / "numbers"
    shutil.copy(figures / "fig-risen.csv", path)
    assert identify(capsys, bakery, path)[0] == 0


def test_changed_data_are_told_row_by_row_and_in_words(bakery, figures, tmp_path, capsys):
    """A number corrected, a row of the guide removed, all others moved by a line."""
    path = tmp_path / "old.svg"
    shutil.copy(figures / "fig-risen.svg", path)
    bakery.put(STUDIES, 3, events="5", as_printed="5/20")
    header, *rows = bakery.rows(STUDIES)
    bakery.write(STUDIES, [header, rows[-1], *rows[:2], *rows[3:-1]])

    code, out, _ = identify(capsys, bakery, path)
    assert code == 1
    assert f"{STUDIES} changed after" in out

    finish_bakery(bakery)
    code, out, _ = identify(capsys, bakery, path)
    assert code == 1
    (changed,) = re.findall(r"row changed +(.+)", out)
    assert "events “4” → “5”; as_printed “4/20” → “5/20”" in changed
    assert re.search(r"row removed +data/studies.csv:\d+: baker1990, bread", out)
    assert "row added" not in out
    assert re.search(r"was +Baker.*4 of 20", out)
    assert re.search(r"is +Baker.*5 of 20", out)
    code, out, _ = identify(capsys, bakery, path, "--format", "json")
    content = json.loads(out)
    assert content["current"] is False
    assert {change["kind"] for change in content["changes"]} >= {"row changed", "row removed"}


def test_a_printed_id_tells_whether_it_is_current(bakery, record, capsys):
    name = f"fig-risen@{record['version']}"
    assert identify(capsys, bakery, name)[0] == 0
    code, out, _ = identify(capsys, bakery, "fig-risen@0000000")
    assert code == 1
    assert re.search(f"today: +{name}", out)
    assert "only the data or a file with its record can show" in out


def test_a_pdf_without_metadata_is_known_by_the_id_printed_on_it(bakery, figures, tmp_path, capsys):
    writer = PdfWriter()
    writer.append(PdfReader(figures / "fig-risen.pdf"))
    path = tmp_path / "manuscript.pdf"
    writer.write(path)
    assert read_metadata(path)[0] is None
    code, out, _ = identify(capsys, bakery, path)
    assert code == 0
    assert NAME.match(out)


def test_other_parameters_are_named_with_their_command(bakery, tmp_path, capsys):
    layout, record = risen(bakery, confidence=0.9)
    path = tmp_path / "other.svg"
    path.write_bytes(render_figure(layout, record, ["svg"])["svg"])
    code, out, _ = identify(capsys, bakery, path)
    assert code == 1
    assert "made with other parameters" in out
    assert re.search("computation +the same rows are selected, computed or placed", out)


def test_changed_code_and_words_are_named(record):
    earlier = record | {"caption": "Another.", "parts": record["parts"] | {"code": "0000000"}}
    assert [change.kind for change in compare_records(earlier, record)] == ["words", "code"]


def test_a_figure_that_is_empty_today(bakery, figures, tmp_path, capsys):
    path = tmp_path / "old.png"
    shutil.copy(figures / "fig-risen.png", path)
    shutil.rmtree(figures)
    finish_bakery(bakery, conditions=["cake"])
    code, out, _ = identify(capsys, bakery, path)
    assert code == 1
    assert re.search("today: +not drawn", out)
    assert "nothing is drawn today: No two arms" in out


def jpeg():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (jpeg(), "carries no record"),
        (b"hello", "is not a readable SVG, PDF, PNG, EPS or TIFF file"),
        (b"%PDF-1.4 broken", "is not a readable SVG, PDF, PNG, EPS or TIFF file"),
        (b"<svg xmlns='x'/>", "carries no record of a figure. Give the id printed"),
    ],
)
def test_a_file_that_is_not_a_figure_is_refused(bakery, tmp_path, capsys, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    code, _, err = identify(capsys, bakery, path)
    assert code == 1
    assert message in err


def test_an_unknown_figure_or_file_is_refused(bakery, capsys):
    code, _, err = identify(capsys, bakery, "fig-risen")
    assert code == 1
    assert "fig-risen is neither a file nor the id printed on a figure" in err
    code, _, err = identify(capsys, bakery, "fig-other@0000000")
    assert code == 1
    assert "has no figure or table fig-other. Available: fig-risen." in err


def damaged(record, **fields):
    """A record of a stranger's file, in which fields have other contents, or are gone (None)."""
    content = {**record, **fields}
    text = json.dumps({name: value for name, value in content.items() if value is not None})
    return base64.b64encode(zlib.compress(text.encode())).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"id": 7}, {"id": ["fig-risen"]}, {"id": "fig-\x1b[2J"}, {"version": None}, {"title": None},
        {"studies": "many"}, {"studies": [1]}, {"studies": [{"key": "a"}]}, {"rows": []},
        {"rows": {"data/studies.csv": {}}}, {"rows": {"x:99999999999999999999": {}}},
        {"rows": {"data/studies.csv:2": {"n": 17}}}, {"parts": {"marks": 1}}, {"reading": {}},
        {"title": "\ud800"}, {"caption": 1.5}, {"parameters": "scope"},
    ],
)  # fmt: skip
def test_a_record_of_other_types_is_none(record, fields):
    assert unpack_record(damaged(record)) is not None
    assert unpack_record(damaged(record, **fields)) is None


def test_text_of_a_foreign_file_cannot_steer_the_terminal(
    bakery, figures, tmp_path, capsys, record
):
    """An escape sequence, a mark of writing direction and a carriage return, shown by number."""
    title = "\x1b[2J\x1b]0;owned\x07 harmless \u202eteews\r"
    svg = (figures / "fig-risen.svg").read_text("utf-8")
    keywords = re.search(r"<rdf:li>([\w+/=]{99,})</rdf:li>", svg)
    path = tmp_path / "from-a-stranger.svg"
    path.write_text(svg.replace(keywords[1], damaged(record, title=title)), "utf-8")
    code, printed, _ = identify(capsys, bakery, path)
    assert code == 0
    assert "<U+001B>[2J<U+001B>]0;owned<U+0007> harmless <U+202E>teews<U+000D>" in printed
    assert not set(printed) & set("\x1b\x07\u202e\r")


def test_a_table_is_identified_by_its_id_and_by_its_files(bakery, tmp_path, capsys):
    content = json.loads(bakery.path("reports/tables/tab-results.json").read_text("utf-8"))
    path = tmp_path / "numbers.csv"
    shutil.copy(bakery.path("reports/tables/tab-results.csv"), path)
    for query in (f"tab-results@{content['version']}", path):
        assert identify(capsys, bakery, query)[0] == 0
    code, out, _ = identify(capsys, bakery, "tab-results@0000000")
    assert code == 1
    assert f"today:        tab-results@{content['version']}" in out
