"""The archive of a version: its contents, stable bytes, refusals, and three independent checkers."""

import io
import json
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest
import yaml
from filelock import FileLock, Timeout
from lxml import html

from evidence import cli
from evidence.build.build import BuildOptions, build_reports
from evidence.files import digest
from evidence.notebook import locate
from evidence.release import release as build
from evidence.release.archive import damaged_files, write_archive
from evidence.release.release import build_release
from tests.conftest import CITATION, ROOT, Project, require_tool

DOI = "10.5281/zenodo.1234567"
LICENCE = "CC BY 4.0: https://creativecommons.org/licenses/by/4.0/\n"
PEOPLE = CITATION.replace(
    "    name-suffix: Jr.\n  - name: The bakers\n",
    """\
    name-suffix: Jr.
    orcid: https://orcid.org/0000-0002-1825-0097
    affiliation: A school of baking
    email: ann@example.org
  - name: The bakers
    website: https://example.org/bakers
    email: bakers@example.org
""",
)
UNKNOWN = {
    "An Organization entity SHOULD have a ROR identifier as its @id (e.g., https://ror.org/03f0f6041)":
        "CITATION.cff has no field for it",
    "The organization SHOULD have a URL.": "CITATION.cff has only the name of an affiliation",
    "An Organization's contactPoint SHOULD reference a ContactPoint contextual entity":
        "CITATION.cff has only the name of an affiliation",
}  # fmt: skip
"""What RO-Crate recommends and a crate cannot state, with the reason."""
# As the release has them, so that it builds nothing again.
ALL_FORMATS = BuildOptions(formats="all")
SHOWS = (
    "from evidence import lay_out_arm_comparison, tabulate_results",
    "report.figure(lay_out_arm_comparison(report.dataset, report.results, outcome='risen', "
    "confidence=confidence))",
    "report.table(tabulate_results(report.dataset, report.results))",
)


def git(folder, *arguments):
    name = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *name, "-C", folder, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module", autouse=True)
def only_own_notebooks(tmp_path_factory):
    """Projects have no notebooks but their own here, which are built faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locate, "BESIDE_THE_SOURCE", tmp_path_factory.mktemp("none"))
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A repository with a tagged version and with finished reports of the next; read only."""
    require_tool("git")
    project = Project(tmp_path_factory.mktemp("built") / "bread")
    project.path("CITATION.cff").write_text(f"# Ours\n{PEOPLE}license: MIT\n", "utf-8")
    project.path("LICENSE").write_text("MIT License\n", "utf-8")
    project.path("LICENSE-DATA").write_text(LICENCE, "utf-8")
    project.path(".gitignore").write_text("/reports/\n/releases/\n/.rep*\n", "utf-8")
    project.notebook("10_bread", *SHOWS)
    write_as_spreadsheets(project)
    git(project.root, "init", "--quiet")
    git(project.root, "add", ".")
    git(project.root, "commit", "--quiet", "--message", "First")
    git(project.root, "tag", "v1.3.0")
    project.put("data/studies.csv", 3, events="5", as_printed="5/20")
    git(project.root, "commit", "--quiet", "--all", "--message", "Correct")
    build_reports(project.root, options=ALL_FORMATS)
    return project


def write_as_spreadsheets(project):
    """Write a table with semicolons in UTF-16, and another one as a workbook."""
    outcomes, designs = project.path("data/outcomes.csv"), project.path("data/designs.csv")
    outcomes.write_text(outcomes.read_text("utf-8").replace(",", ";"), "utf-16")
    book = openpyxl.Workbook()
    for row in project.rows("data/designs.csv"):
        book.active.append(row)
    book.save(designs.with_suffix(".xlsx"))
    designs.unlink()


def at(folder):
    project = Project.__new__(Project)
    project.root = folder
    return project


@pytest.fixture
def ready(built, tmp_path):
    """A copy of it, to release or to break."""
    shutil.copytree(built.root, tmp_path / "bread")
    return at(tmp_path / "bread")


@pytest.fixture(scope="module")
def released(built, tmp_path_factory):
    """The archive of version 1.4.0; read only."""
    folder = tmp_path_factory.mktemp("released") / "bread"
    shutil.copytree(built.root, folder)
    return build_release("1.4.0", folder)


@pytest.fixture(scope="module")
def unpacked(released, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(released.archive) as archive:
        archive.extractall(folder)
    return folder


# Three checkers that are not ours


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_crate_is_valid(released, tmp_path):
    """roc-validator reads one context from the network; rocrate brings it, in a later release."""
    import requests
    import requests_cache
    import rocrate
    from rocrate_validator import models, services
    from urllib3 import HTTPResponse

    context = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()

    class Context(requests.adapters.BaseAdapter):
        def send(self, request, **_):
            answer = requests.Response()
            answer.status_code, answer.url, answer.request = 200, request.url, request
            answer.headers["Content-Type"] = "application/ld+json"
            answer.raw = HTTPResponse(io.BytesIO(context), status=200, preload_content=False)
            return answer

        def close(self):
            pass

    cache = tmp_path / "cache"
    with requests_cache.CachedSession(cache, backend="sqlite", expire_after=-1) as session:
        session.mount("https://", Context())
        session.get("https://w3id.org/ro/crate/1.2/context")
    result = services.validate(
        services.ValidationSettings(
            rocrate_uri=str(released.archive),
            profile_identifier="ro-crate-1.2",
            requirement_severity=models.Severity.RECOMMENDED,
            offline=True,
            cache_path=str(cache),
        )
    )
    assert {issue.message for issue in result.get_issues()} == UNKNOWN.keys()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_data_package_is_valid(unpacked):
    """Every row of every table is checked against the schema of its table."""
    from frictionless import Package

    package = Package(str(unpacked / "datapackage.json"))
    report = package.validate()
    assert report.valid, report.flatten(["type", "message"])
    names = {path.stem for path in (unpacked / "data").glob("*.csv")}
    assert {resource.name for resource in package.resources} == names
    measure = package.get_resource("studies").schema.get_field("measure")
    assert "proportion" in measure.constraints["enum"]


def test_the_citation_file_is_valid(unpacked):
    """Against the schema of the Citation File Format."""
    from jsonschema import Draft7Validator

    schema = Path(__file__).with_name("data") / "citation-file-format-1.2.0.json"
    validator = Draft7Validator(json.loads(schema.read_text("utf-8")))
    for folder in (unpacked, ROOT):
        text = (folder / "CITATION.cff").read_text("utf-8")
        # Dates stay texts.
        content = yaml.load(text, yaml.BaseLoader)
        assert [error.message for error in validator.iter_errors(content)] == []


TEXT = {"type": "string", "minLength": 3}
ZENODO = {
    "additionalProperties": False,
    "required": ["upload_type", "publication_date", "title", "creators", "description"],
    "properties": {
        "upload_type": {"enum": ["dataset", "image", "lesson", "other", "physicalobject", "poster",
                                 "presentation", "publication", "software", "video"]},
        "publication_date": {"pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "title": TEXT,
        "description": TEXT,
        "creators": {"minItems": 1, "items": {
            "additionalProperties": False,
            "required": ["name"],
            "properties": {"name": TEXT, "affiliation": TEXT, "gnd": TEXT,
                           "orcid": {"pattern": r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$"}},
        }},
        "access_right": {"enum": ["open", "embargoed", "restricted", "closed"]},
        "license": {"pattern": "^[a-z0-9.-]+$"},
        "keywords": {"type": "array", "items": {"type": "string"}},
        "related_identifiers": {"items": {
            "required": ["identifier", "relation"],
            "properties": {"relation": {"enum": ["cites", "references", "isDerivedFrom"]},
                           "scheme": {"enum": ["doi", "pmid", "url"]}},
        }},
        "version": {"type": "string"},
        "doi": {"pattern": r"^10\.\d+/"},
    },
}  # fmt: skip
"""What Zenodo accepts: by hand, since its own schema is under the GPL and allows no copy here."""


def test_zenodo_accepts_the_metadata(unpacked):
    from jsonschema import Draft7Validator

    content = json.loads((unpacked / ".zenodo.json").read_text("utf-8"))
    validator = Draft7Validator(ZENODO)
    assert [error.message for error in validator.iter_errors(content)] == []
    assert validator.is_valid({**content, "access_right": "free"}) is False


# Contents


def test_everything_is_in_the_archive(unpacked):
    names = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")}
    assert names >= {
        ".zenodo.json", "CHANGES.md", "CITATION.cff", "LICENSE", "LICENSE-DATA", "SHA256SUMS",
        "data/studies.csv", "datapackage.json", "notebooks/10_bread.ipynb", "references.bib",
        "reports/10_bread.html", "reports/figures/fig-risen.csv", "reports/figures/fig-risen.tiff",
        "reports/manifest.json", "reports/notebooks/10_bread.ipynb", "reports/report.docx",
        "reports/report.pdf", "reports/tables/tab-results.csv",
        "requirements.lock", "ro-crate-metadata.json", "ro-crate-preview.html",
    }  # fmt: skip
    sums = dict(
        line.split("  ")[::-1] for line in (unpacked / "SHA256SUMS").read_text().splitlines()
    )
    files = {name for name in names if (unpacked / name).is_file()} - {"SHA256SUMS"}
    assert sums == {name: digest((unpacked / name).read_bytes()) for name in files}


def test_tables_of_spreadsheets_become_plain_csv(unpacked):
    outcomes = (unpacked / "data" / "outcomes.csv").read_bytes()
    assert outcomes.startswith(b"outcome,kind,better,")
    assert (unpacked / "data" / "designs.csv").read_bytes().startswith(b"study,label,")
    assert not (unpacked / "data" / "designs.xlsx").exists()


def test_the_crate_describes_the_run(unpacked):
    graph = json.loads((unpacked / "ro-crate-metadata.json").read_text("utf-8"))["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    run, root = entities["#run"], entities["./"]
    assert run["@type"] == "CreateAction"
    assert entities[run["instrument"]["@id"]]["name"] == "evidence"
    assert {"@id": "data/studies.csv"} in run["object"]
    assert {"@id": "reports/figures/fig-risen.svg"} in run["result"]
    assert [entities[author["@id"]]["name"] for author in root["author"]] == [
        "Ann B. van der Berg Jr.", "The bakers",
    ]  # fmt: skip
    assert root["license"] == {"@id": "https://creativecommons.org/licenses/by/4.0/"}
    notebook = entities["notebooks/10_bread.ipynb"]
    assert notebook["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    figure = entities["reports/figures/fig-risen-85mm.svg"]
    assert figure["encodingFormat"] == "image/svg+xml"
    assert figure["description"] == "Figure: Risen: two arms of each study compared"
    assert entities["data/outcomes.csv"]["description"] == "Each row is one outcome"
    assert (
        entities["reports/values/10_bread.json"]["description"] == "Numbers of the page: 10_bread"
    )
    texts = [entity.get("description", "") for entity in entities.values()]
    assert [text for text in texts if text.startswith("Further file")] == []


def test_the_preview_of_the_crate_leads_to_every_file(unpacked):
    page = html.fromstring((unpacked / "ro-crate-preview.html").read_text("utf-8"))
    files = {
        path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()
    }
    assert set(page.xpath("//main//a/@href")) == files - {"ro-crate-preview.html"} | {
        "reports/index.html"
    }
    assert page.xpath("//h1/text()") == ["Bread & its sources"]
    assert "Ann B. van der Berg Jr.; The bakers" in page.text_content()


def test_zenodo_gets_people_licence_and_sources(unpacked):
    """Fields and words by hand from Zenodo's description of deposits."""
    content = json.loads((unpacked / ".zenodo.json").read_text("utf-8"))
    assert content["creators"] == [
        {"name": "van der Berg, Ann B. Jr.", "orcid": "0000-0002-1825-0097",
         "affiliation": "A school of baking"},
        {"name": "The bakers"},
    ]  # fmt: skip
    assert (content["version"], content["license"]) == ("1.4.0", "cc-by-4.0")
    assert content["publication_date"] == "2026-11-24"
    cited = content["related_identifiers"]
    for doi in ("10.1000/dough", "10.2307/2530610"):  # a study, and the formula of a CI on a page
        assert {"identifier": doi, "relation": "cites", "scheme": "doi"} in cited


def test_changes_since_the_last_tag(unpacked, released):
    changes = (unpacked / "CHANGES.md").read_text("utf-8")
    assert changes.startswith("# Changes from v1.3.0 (")
    assert "corrected `data/studies.csv:3`" in changes
    assert "events: 4 → 5" in changes
    assert released.changes.read_text("utf-8") == changes


def test_a_clone_of_the_tagged_version_gives_the_same_bytes(built, released, tmp_path):
    git(tmp_path, "clone", "--quiet", str(built.root), "elsewhere")
    git(tmp_path / "elsewhere", "tag", "v1.4.0")
    build_reports(tmp_path / "elsewhere", options=ALL_FORMATS)
    again = build_release("1.4.0", tmp_path / "elsewhere")
    assert again.digest == released.digest


# Refusals


def release(project, *arguments):
    return cli.main(["release", *arguments, "--project", str(project.root)])


def commit(project):
    git(project.root, "commit", "--quiet", "--all", "--message", "Change")


def edit(name, old, new, *, committed=True):
    def change(project):
        project.replace(name, old, new)
        if committed:
            commit(project)

    return change


def remove(name):
    def change(project):
        project.path(name).unlink()
        commit(project)

    return change


def write(name, text):
    def change(project):
        project.path(name).parent.mkdir(exist_ok=True)
        project.path(name).write_text(text, "utf-8")

    return change


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (None, [], "Give either a version to release, such as 1.2.0, or --verify FILE"),
        (None, ["v1.4.0"], "VERSION 'v1.4.0': not a version. Write one like 1.2.0"),
        (None, ["../1"], "VERSION '../1': not a version"),
        (None, ["1.4.0", "--doi", "zenodo.12"], "--doi: 'zenodo.12' is not a bare DOI like 10."),
        (None, ["1.4.0", "--since", "v0"], "v0: not a folder, a values.json or a revision"),
        (None, ["1.3.0"], "The tag v1.3.0 is at another commit: this version is released. Choose"),
        (write("releases/release-1.4.0.zip", ""), ["1.4.0"],
         "release-1.4.0.zip: this version is released. Choose the next version, or delete"),
        (edit("CITATION.cff", "url:", f"doi: {DOI}\nurl:"), ["1.5.0"],
         f"CITATION.cff: {DOI} is the DOI of version 1.4.0. Give that of 1.5.0 with --doi"),
        (edit("CITATION.cff", "authors:", "contact:"), ["1.4.0"],
         "CITATION.cff: required fields are missing: authors"),
        (remove("LICENSE-DATA"), ["1.4.0"], "LICENSE-DATA: missing. Say under which licence data"),
        (edit("LICENSE-DATA", "CC BY 4.0", "ours"), ["1.4.0"],
         "LICENSE-DATA: names no licence with its address. Say"),
        (remove("LICENSE"), ["1.4.0"], "LICENSE: missing. Say under which licence notebooks"),
        (edit("data/studies.csv", "5/20", "6/20"), ["1.4.0"], "6/20"),
        (edit("data/studies.csv", "p. 1", "p. 2", committed=False), ["1.4.0"],
         "differs from its commit: data/studies.csv was modified. Commit or undo"),
        (write("notebooks/helper.py", ""), ["1.4.0"], "notebooks/helper.py is not committed."),
        (edit("data/studies.csv", "p. 1", "p. 2"), ["1.4.0"],
         "The reports are out of date. Run: evidence report (10_bread: data/studies.csv:4"),
        (edit("reports/figures/fig-risen.svg", "<svg", "<svg ", committed=False), ["1.4.0"],
         "(10_bread: figures/fig-risen.svg was modified or deleted)"),
        (lambda project: shutil.rmtree(project.path("reports")), ["1.4.0"],
         "Run: evidence report (reports: there are no finished reports)"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do_and_write_nothing(ready, capsys, change, arguments, message):
    if change:
        change(ready)
    before = {path: path.read_bytes() for path in ready.root.rglob("*") if path.is_file()}
    assert release(ready, *arguments) != 0
    assert message in capsys.readouterr().err
    after = {path: path.read_bytes() for path in ready.root.rglob("*") if path.is_file()}
    assert after == before


def test_a_failure_brings_the_citation_file_back(ready, monkeypatch):
    before = ready.path("CITATION.cff").read_bytes()

    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "build_reports", fail)
    with pytest.raises(KeyboardInterrupt):
        build_release("1.4.0", ready.root, doi=DOI)
    assert ready.path("CITATION.cff").read_bytes() == before
    assert not ready.path("releases").exists()


def test_no_build_replaces_the_reports_while_they_are_archived(ready, monkeypatch):
    def archive(*_):
        with pytest.raises(Timeout):
            FileLock(ready.path(".reports.lock")).acquire(blocking=False)
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "write_archive", archive)
    with pytest.raises(KeyboardInterrupt):
        build_release("1.4.0", ready.root)
    assert not ready.path(".reports.lock").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from evidence.release.archive import write_archive
def progress(name):
    if name == "c":
        os.kill(os.getpid(), signal.SIGKILL)
write_archive(Path(sys.argv[1]), dict.fromkeys("abcd", b"content"), progress)
"""


def test_a_kill_leaves_no_archive_and_the_next_attempt_nothing_else(tmp_path):
    path = tmp_path / "release-1.zip"
    child = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert child.returncode == -signal.SIGKILL
    assert not path.exists()
    write_archive(path, {"a": b"content"}, lambda name: None)
    assert list(tmp_path.iterdir()) == [path]


# DOI, projects without git, and damage


def test_the_doi_is_in_every_citation(ready, capsys):
    assert release(ready, "1.5.0", "--doi", DOI) == 0
    output = capsys.readouterr().out
    assert "git commit --message 'Release 1.5.0' CITATION.cff" in output
    assert "git tag --annotate --cleanup=whitespace --file" in output
    text = ready.path("CITATION.cff").read_text("utf-8")
    assert text.startswith("# Ours\n")
    assert (yaml.safe_load(text)["version"], yaml.safe_load(text)["doi"]) == ("1.5.0", DOI)
    with zipfile.ZipFile(ready.path("releases/release-1.5.0.zip")) as archive:
        for name in ("CITATION.cff", "ro-crate-metadata.json", ".zenodo.json", "datapackage.json",
                     "reports/figures/fig-risen.bib"):  # fmt: skip
            assert DOI in archive.read(name).decode(), name
    assert cli.main(["cite", "fig-risen", "--project", str(ready.root)]) == 0
    assert f"doi: {DOI}" in capsys.readouterr().out


def test_packaged_notebooks_are_released_as_such(ready, tmp_path, monkeypatch, capsys):
    (tmp_path / "packaged").mkdir()
    monkeypatch.setattr(locate, "BESIDE_THE_SOURCE", tmp_path / "packaged")
    shutil.move(ready.notebook("20_package"), tmp_path / "packaged")
    ready.replace("CITATION.cff", "url: https://example.org/bread\n", "")
    commit(ready)
    with monkeypatch.context() as patch:
        patch.setenv(locate.PACKAGED_ONLY, "1")
        build_reports(ready.root, options=ALL_FORMATS)
    assert release(ready, "1.4.0") != 0
    assert "the project's own notebooks are run again" in capsys.readouterr().err
    assert release(ready, "1.4.0", "--packaged-notebooks") == 0
    output, messages = capsys.readouterr()
    assert "ignored: 10_bread (notebooks of the project)" in messages
    assert output.count("no address to cite. Add a line such as 'url: https://") == 1
    with zipfile.ZipFile(ready.path("releases/release-1.4.0.zip")) as archive:
        graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
    (run,) = (entity for entity in graph if entity["@id"] == "#run")
    assert run["description"].startswith("Ran only the notebooks of the evidence package and wrote")
    inputs, results = ({part["@id"] for part in run[name]} for name in ("object", "result"))
    assert "data/studies.csv" in inputs
    assert "notebooks/10_bread.ipynb" not in inputs
    assert "reports/20_package.html" in results


def test_a_project_outside_of_git_is_released_without_a_revision(ready, capsys):
    shutil.rmtree(ready.path(".git"))
    assert release(ready, "1.4.0") == 0
    output = capsys.readouterr().out
    assert "(since the beginning)" in output
    assert "not in a git repository" in output


def verify(path, capsys):
    code = cli.main(["release", "--verify", str(path)])
    return code, "".join(capsys.readouterr())


def test_damage_is_found_and_named(released, tmp_path, capsys):
    content = released.archive.read_bytes()
    path = tmp_path / "release.zip"
    path.write_bytes(content)
    assert verify(path, capsys) == (0, f"{path}: every file agrees with its checksum\n")
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("data/studies.csv")
        data = entry.header_offset + 30 + len(entry.filename) + 20
    path.write_bytes(content[:data] + b"\xff\xff\xff" + content[data + 3 :])
    code, message = verify(path, capsys)
    assert (code, message.splitlines()[0]) == (1, f"{path}: data/studies.csv is damaged")
    for broken in (content[:-400], content[: len(content) // 2], b"no zip"):
        path.write_bytes(broken)
        code, message = verify(path, capsys)
        assert code == 1
        assert "not a zip file, or only part of one. Download it again" in message
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "")
    assert "has no SHA256SUMS" in verify(path, capsys)[1]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b", "")
        archive.writestr("SHA256SUMS", f"{digest(b'')}  a\n")
    assert damaged_files(path) == ["a is missing", "b was added"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("SHA256SUMS", "a" * 500)
    content = path.read_bytes()
    path.write_bytes(content[:60] + b"\xff" + content[61:])
    assert damaged_files(path) == ["SHA256SUMS is damaged"]
    assert "cannot be read: No such file" in verify(tmp_path / "none.zip", capsys)[1]
