"""A figure found anywhere: which it is, in which version, and what became of it since."""

import io
import json
import re
import shutil
from xml.etree import ElementTree

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter

from evidence import cli
from evidence.analysis.results import select_results
from evidence.build.build import BuildOptions, build_reports
from evidence.dataset.dataset import load_dataset
from evidence.figures.dose_effect_one_trial import lay_out_dose_effect_one_trial
from evidence.figures.proportions_by_arm import lay_out_proportions_by_arm
from evidence.report import figure_identity
from evidence.report.figure_files import add_tiffs, render, write_figure
from evidence.report.figure_identity import figure_record, report_command
from evidence.report.figure_metadata import MARK, read_record
from evidence.report.identify_figure import compare, identify_figure
from tests.conftest import ROOT
from tests.test_report import small_project

PARAMETERS = {"scope": "guide", "conditions": [], "outcomes": [], "confidence": 0.95, "study": ""}


def dose(dataset):
    """The chart of doses of a dataset, and its record."""
    layout = lay_out_dose_effect_one_trial(select_results(dataset, scope="guide"))
    return layout, figure_record(layout, dataset, report="03_dose_response", parameters=PARAMETERS)


@pytest.fixture(scope="module")
def found(shipped):
    return dose(shipped)


@pytest.fixture(scope="module")
def folder(shipped, found, tmp_path_factory):
    """The files of the chart of doses, TIFF among them; read only."""
    folder = tmp_path_factory.mktemp("figures")
    write_figure(*found, shipped, folder)
    add_tiffs(folder)
    return folder


class Copy:
    """The shipped tables in a folder of their own, to change."""

    def __init__(self, root):
        self.root = small_project(root, notebook="03_dose_response")
        self.studies = self.root / "data" / "studies.csv"

    def edit(self, old, new):
        text = self.studies.read_text("utf-8")
        assert text.count(old) == 1, text.count(old)
        self.studies.write_text(text.replace(old, new), "utf-8")

    def version(self):
        return dose(load_dataset(self.root))[1].version


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path / "copy")


def lines(copy):
    return copy.studies.read_text("utf-8").splitlines()


def test_version_stays_when_rows_move_and_other_studies_change(copy, found):
    head, *rows = lines(copy)
    copy.studies.write_text("\n".join([head, rows[-1], *rows[:-1]]) + "\n", "utf-8")
    moved = dose(load_dataset(copy.root))[1]
    assert moved.version == found[1].version
    assert set(moved.rows) != set(found[1].rows)
    copy.studies.write_text("\n".join([head, *rows[:-1]]) + "\n", "utf-8")
    assert copy.version() == found[1].version


@pytest.mark.parametrize(
    ("old", "new"),
    [(",-0.82,", ",-0.83,"), (",abstract,", ",p. 1,"), ("fava2018,depression,", "fava2018,PTSD,")],
    ids=["number", "place", "condition"],
)
def test_version_changes_with_any_cell_of_its_rows(copy, found, old, new):
    kept = lines(copy)
    numbers = sorted(int(place.rpartition(":")[2]) - 1 for place in found[1].rows)
    number = next(number for number in numbers if old in kept[number])
    kept[number] = kept[number].replace(old, new, 1)
    copy.studies.write_text("\n".join(kept) + "\n", "utf-8")
    assert copy.version() != found[1].version


def test_a_remark_does_not_change_the_version(copy, found):
    copy.edit("not significant after adjustment. n is", "nothing else. n is")
    assert copy.version() == found[1].version


def test_version_changes_with_confidence_and_code_and_not_with_the_command(
    shipped, found, monkeypatch
):
    results = select_results(shipped, scope="guide")
    one, two = (
        figure_record(lay_out_proportions_by_arm(results, confidence=c), shipped)
        for c in (0.95, 0.9)
    )
    assert one.version != two.version
    layout, about = found
    assert figure_record(layout, shipped, report="another").version == about.version
    monkeypatch.setattr(figure_identity, "_code", lambda module: "0000000")
    assert figure_record(layout, shipped).version != about.version


def test_code_is_that_of_the_chart_and_of_what_it_is_built_on():
    of = figure_identity._code
    names = ["shares", "comparison", "specifications"]
    assert len({of(f"evidence.figures.{name}") for name in names}) == 3


def test_last_digits_of_a_number_do_not_count():
    assert figure_identity._comparable(0.1 + 0.2) == figure_identity._comparable(0.3)
    assert figure_identity._comparable(0.3) != figure_identity._comparable(0.3000001)


def test_studies_are_those_with_participants_of_their_own(found, shipped):
    assert [study["key"] for study in found[1].studies] == ["fava2018"]
    rows = {"data/studies.csv:2": {"study": "guide101"}, "data/studies.csv:3": {"study": "lii2023"}}
    assert figure_identity._primary(shipped, rows) == ["lii2023"]


def test_command_can_be_typed_and_leaves_out_what_is_empty():
    given = {"scope": "all", "conditions": ["heroin dependence"], "outcomes": [], "time_days": 1.0}
    assert report_command("02_comparison", given) == (
        "evidence report --only 02_comparison -p scope=all -p "
        "'conditions=[\"heroin dependence\"]' -p time_days=1.0"
    )


def test_svg_names_and_describes_itself(folder, found):
    tree = ElementTree.parse(folder / "fig-dose-response.svg").getroot()
    svg, dc = "{http://www.w3.org/2000/svg}", "{http://purl.org/dc/elements/1.1/}"
    assert tree.get("role") == "img"
    titled, described = tree.get("aria-labelledby").split()
    assert [child.get("id") for child in list(tree)[:2]] == [titled, described]
    assert tree.find(f"{svg}title").text == "Dose and effect in Fava 2018"
    for sentence in found[1].reading:
        assert sentence in tree.find(f"{svg}desc").text
    assert tree.find(f".//{dc}identifier").text == found[1].name
    said = ["".join(tree.find(f".//{dc}{name}").itertext()) for name in ("relation", "rights")]
    assert "Fava M" in said[0]
    assert said[1] == "CC BY 4.0 https://creativecommons.org/licenses/by/4.0/"


def test_pdf_says_what_it_is_to_other_programs(folder, found):
    reader = PdfReader(folder / "fig-dose-response.pdf")
    assert reader.metadata.title == "Dose and effect in Fava 2018"
    assert reader.metadata.subject == found[1].caption
    assert reader.xmp_metadata.dc_identifier == found[1].name
    assert found[1].name in reader.pages[0].extract_text()


def test_rasters_have_300_dpi(folder):
    for form in ("png", "tiff"):
        with Image.open(folder / f"fig-dose-response.{form}") as picture:
            assert [round(float(dots)) for dots in picture.info["dpi"]] == [300, 300]
            assert picture.width > 2000
    content = json.loads((folder / "fig-dose-response.json").read_text("utf-8"))
    assert "fig-dose-response.tiff" in content["files"]


@pytest.mark.parametrize("form", ["svg", "pdf", "png", "tiff"])
def test_every_form_holds_the_whole_record(folder, found, form):
    content = read_record((folder / f"fig-dose-response.{form}").read_bytes())
    assert content == json.loads(json.dumps(vars(found[1])))


def saved_again(folder, form):
    """The picture as another program might save it."""
    buffer = io.BytesIO()
    if form == "pdf":
        writer = PdfWriter()
        writer.append(PdfReader(folder / "fig-dose-response.pdf"))
        writer.write(buffer)
    else:
        with Image.open(folder / "fig-dose-response.png") as picture:
            picture.convert("RGB").save(buffer, form, xmp=picture.info["xmp"])
    return buffer.getvalue()


def test_jpeg_keeps_the_record_where_the_program_keeps_xmp(folder, found):
    assert read_record(saved_again(folder, "jpeg"))["version"] == found[1].version


def test_pdf_in_a_manuscript_is_known_by_the_id_printed_on_it(folder, found):
    """A copied page has lost the metadata of its file."""
    assert read_record(saved_again(folder, "pdf")) == found[1].name


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A small project with its finished report, before anything changes; copied, never changed."""
    project = small_project(tmp_path_factory.mktemp("fresh") / "p", notebook="03_dose_response")
    shutil.copy(ROOT / "LICENSE-DATA", project)
    build_reports(project, how=BuildOptions(only=["dose_response"]))
    return project


def run(capsys, project, *arguments):
    code = cli.main(["identify", "--project", str(project), *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_renamed_figure_is_current(fresh, tmp_path, capsys):
    shutil.copy(fresh / "reports" / "figures" / "fig-dose-response.png", tmp_path / "image-17")
    code, out, _ = run(capsys, fresh, tmp_path / "image-17")
    assert code == 0
    assert re.match(r"fig-dose-response@[0-9a-f]{7}  Dose and effect in Fava 2018\n", out)
    assert "made:   evidence report --only 03_dose_response -p scope=guide" in out
    assert "study:  Fava M, Freeman MP" in out
    assert "today:  the same version" in out


def test_today_s_data_draw_it_differently_and_how(fresh, tmp_path, capsys):
    """A number corrected, a row of the guide taken out, all others moved by a line."""
    project = shutil.copytree(fresh, tmp_path / "p")
    kept = tmp_path / "kept.svg"
    shutil.copy(project / "reports" / "figures" / "fig-dose-response.svg", kept)
    studies = project / "data" / "studies.csv"
    head, *rows = studies.read_text("utf-8").splitlines()
    sized = next(n for n, row in enumerate(rows) if ",-0.82," in row)
    rows[sized] = rows[sized].replace("-0.82", "-0.81")
    told = next(n for n, row in enumerate(rows)
                if row.startswith("fava2018") and ",guide," in row and ",1.0," in row)  # fmt: skip
    del rows[told]
    rows.insert(0, rows.pop())
    studies.write_text("\n".join([head, *rows]) + "\n", "utf-8")

    code, out, _ = run(capsys, project, kept)
    assert code == 1
    assert "was made before data/studies.csv changed; renew it with: evidence report" in out

    build_reports(project, how=BuildOptions(only=["dose_response"]))
    code, out, _ = run(capsys, project, kept)
    assert code == 1
    assert re.search(r"row changed +data/studies.csv:\d+: value “-0.82” → “-0.81”", out)
    assert len(re.findall("row changed", out)) == 1
    assert re.search(r"row removed +data/studies.csv:\d+: fava2018, depression", out)
    assert "row added" not in out
    assert re.search(r"was +The source on 0.1 mg/kg.*−0.82", out)
    assert re.search(r"is +The source on 0.1 mg/kg.*−0.81", out)
    assert "code" not in re.findall(r"^    (\w+)", out, re.MULTILINE)
    code, out, _ = run(capsys, project, kept, "--format", "json")
    content = json.loads(out)
    assert content["current"] is False
    assert {change["kind"] for change in content["changes"]} >= {"row changed", "row removed"}


def test_the_printed_id_tells_whether_it_is_current(fresh, capsys):
    sidecar = fresh / "reports" / "figures" / "fig-dose-response.json"
    version = json.loads(sidecar.read_text("utf-8"))["version"]
    assert run(capsys, fresh, f"fig-dose-response@{version}")[0] == 0
    code, out, _ = run(capsys, fresh, "fig-dose-response@0000000")
    assert code == 1
    assert f"today:  fig-dose-response@{version}" in out
    assert "only be said from a file that still has its metadata" in out


def test_other_parameters_and_code_are_named(fresh, shipped, tmp_path):
    layout, about = dose(shipped)
    other = figure_record(layout, shipped, report="03_dose_response", parameters={"scope": "all"})
    path = tmp_path / "other.svg"
    path.write_bytes(render(layout, other, "svg"))
    today = identify_figure(load_dataset(fresh), fresh / "reports", str(path))
    assert today.current, "the same picture of the same rows is the same version"
    changed = json.loads(json.dumps(vars(about)))
    changed["parts"]["code"] = "0000000"
    changed["caption"] = "Another caption."
    kinds = [change.kind for change in compare(changed, vars(about))]
    assert kinds == ["words", "code"]


def test_a_figure_that_is_empty_today(tmp_path, found, capsys):
    project = small_project(tmp_path / "p", notebook="03_dose_response")
    build_reports(project, given={"conditions": ["PTSD"]}, how=BuildOptions(only=["dose_response"]))
    path = tmp_path / "found.svg"
    path.write_bytes(render(*found, "svg"))
    code, out, _ = run(capsys, project, path)
    assert code == 1
    assert "today:  not drawn" in out
    assert "today nothing is drawn: No study here compares several doses" in out
    assert "made with other parameters" not in out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"hello", "is no picture in SVG, PDF, PNG, TIFF or JPEG"),
        ("a.svg", b"<svg xmlns='x'/>", "carries no record of a figure; give the id printed"),
        ("a.pdf", b"%PDF-1.4 broken", "is a PDF that cannot be read"),
        ("b.svg", b"<svg>" + MARK.encode() + b"AAAA</svg>", "its record of the figure is damaged"),
        ("c.svg", b"<svg>fig-a@1234567 fig-b@1234567</svg>", "prints several ids (fig-a@1234567,"),
        ("d.svg", b"<svg>fig-nosuch@1234567</svg>", "fig-nosuch: is no figure of"),
    ],
)  # fmt: skip
def test_what_is_no_figure_is_said(fresh, tmp_path, capsys, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    code, _, err = run(capsys, fresh, path)
    assert code == 1
    assert said in err


def test_neither_file_nor_id(fresh, capsys):
    code, _, err = run(capsys, fresh, "fig-dose-response")
    assert code == 1
    assert "fig-dose-response: is neither a file nor the printed id of a figure" in err
    cut = fresh / "reports" / "figures" / "fig-dose-response.png"
    half = fresh.parent / "half.png"
    half.write_bytes(cut.read_bytes()[:30_000])
    code, _, err = run(capsys, fresh, half)
    assert code == 1
    assert "half.png: is a picture that cannot be read" in err
