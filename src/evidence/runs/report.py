"""One run: every notebook executed, then pages, index and values, put in place all at once.

Vocabulary
----------
A *run* fills a new folder beside `out`; only when everything in it is finished does that folder
take the place of the old one. The *manifest* (`manifest.json`) says what a run was made from, and
marks a folder as one that a later run may replace.
"""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from evidence.corpus.reading import Corpus, read_corpus
from evidence.errors import ParameterError, ReportError
from evidence.publishing.notebooks import notebooks_of
from evidence.runs.engine.processes import QUIET_KERNEL
from evidence.runs.parameters import declared, resolve
from evidence.synthesis.audits import error_rate
from evidence.synthesis.checks import require_consistent

MANIFEST = "manifest.json"
# How papermill runs a notebook, by what `--engine` says.
ENGINES = {"evidence": {"engine_name": "evidence"}, "kernel": {"engine_name": "nbclient"}}
WIDGET = "application/vnd.jupyter.widget-view+json"
SHARED = ("scope", "conditions", "outcomes", "confidence")


@dataclass(frozen=True)
class Outcome:
    """What a finished run made: where, which reports, and how many figures and values."""

    out: Path
    reports: tuple[str, ...]
    figures: int
    values: int


def find_notebooks(project: Path, only: Sequence[str] = ()) -> dict[str, Path]:
    """The package's own notebooks and the project's, in order; `only` picks some by their names.

    Raises
    ------
    ReportError
        A name, or beginning of one, that matches none.
    """
    found = notebooks_of(project)
    if not only:
        return found
    chosen = {}
    for name in only:
        wanted = Path(name).name.removesuffix(".ipynb")
        matches = [stem for stem in found if stem.startswith(wanted) or stem[3:].startswith(wanted)]
        if not wanted or not matches:
            raise ReportError(f"--only {name}: is no notebook; there are {', '.join(found)}")
        chosen |= {stem: found[stem] for stem in matches}
    return {stem: path for stem, path in found.items() if stem in chosen}


def make_reports(
    project: str | Path = "",
    *,
    out: str | Path | None = None,
    given: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    tiff: bool = False,
    engine: str = "evidence",
    memory_limit: int | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Check the data, run the notebooks, and put the finished pages in place of the old ones.

    Parameters
    ----------
    project : path
        See `find_project`.
    out : path
        Where the reports go, by default `reports` in the project. Replaced as a whole when all
        is done.
    given : mapping of str to str
        Parameters as texts, checked against what the notebooks declare.
    only : sequence of str
        Run these notebooks only; the pages of the others are carried over from `out`.
    tiff : bool
        Write each figure as TIFF as well.
    engine : {"evidence", "kernel"}
        Fork each notebook's kernel from a process with the libraries loaded, or start each anew
        with papermill's own engine.
    memory_limit : int, optional
        MiB that each notebook may take on top of the loaded libraries.
    progress : callable
        Told what is being done, before each step.

    Raises
    ------
    CorpusError, ParameterError, ReportError
        Before anything is written; a notebook that fails leaves `OUT.failed/` with its traceback.
    """
    from evidence.publishing.files import add_tiffs

    if memory_limit is not None and (memory_limit < 1 or engine != "evidence"):
        rule = "a whole number of MiB above 0, and not with --engine kernel"
        raise ParameterError(f"--memory {memory_limit}: {rule}")
    corpus = read_corpus(project)
    require_consistent(corpus)
    how = dict(ENGINES[engine])
    if engine == "evidence":
        how |= {"memory_limit": memory_limit, "project": str(corpus.project)}
    notebooks = find_notebooks(corpus.project, only)
    parameters = resolve(given or {}, {name: declared(path) for name, path in notebooks.items()})
    target = Path(out or corpus.project / "reports").resolve()
    _recover(target)
    _require_replaceable(target, corpus.project)
    _check_words(corpus, parameters)
    with _staged(target) as staging:
        carried = _carry_over(target, staging, corpus, set(notebooks)) if only else {}
        runs = dict(carried)
        for name, path in notebooks.items():
            progress(name)
            runs[name] = _run(name, path, corpus, parameters[name], staging, target, how)
        progress("pages")
        if tiff:
            add_tiffs(staging / "figures")
        result = _finish(corpus, dict(sorted(runs.items())), staging, target)
        _swap(staging, target)
    shutil.rmtree(_failed(target), ignore_errors=True)
    return result


def _check_words(corpus: Corpus, parameters: Mapping[str, dict]) -> None:
    """Refuse words outside the data before the first notebook starts."""
    from evidence.publishing.report import require_confidence
    from evidence.synthesis.selection import select_results

    for values in parameters.values():
        require_confidence(values.get("confidence", 0.95))
        words = {
            name: values[name] for name in ("scope", "conditions", "outcomes") if name in values
        }
        select_results(corpus, **words)


def _failed(target: Path) -> Path:
    return target.with_name(f"{target.name}.failed")


def _previous(target: Path) -> Path:
    return target.with_name(f".{target.name}.previous")


def _recover(target: Path) -> None:
    """Bring back the reports of a run that was stopped between taking away and putting down."""
    previous = _previous(target)
    if previous.exists() and not target.exists():
        previous.rename(target)
    elif previous.exists():
        shutil.rmtree(previous)


def _require_replaceable(target: Path, project: Path) -> None:
    """Never replace a folder that this command did not make.

    Raises
    ------
    ReportError
    """
    if target == project or target in project.parents:
        raise ReportError(f"--out {target}: holds the project itself; name a folder of its own")
    if target.exists() and not target.is_dir():
        raise ReportError(f"--out {target}: is a file; name a folder")
    if target.is_dir() and any(target.iterdir()) and not _is_run(target):
        raise ReportError(
            f"--out {target}: holds files that no report run made; name another folder"
        )


def _is_run(target: Path) -> bool:
    """Whether a folder is a finished run; other programs have a manifest.json as well."""
    try:
        content = json.loads((target / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "reports" in content


@contextlib.contextmanager
def _staged(target: Path):
    """A new folder beside `target` that is gone afterwards, whatever happens."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise ReportError(f"--out {target}: cannot be written: {error.strerror}") from None
    try:
        yield staging
    except OSError as error:
        raise ReportError(f"{error.filename or target}: {error.strerror}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _swap(staging: Path, target: Path) -> None:
    """Two renames; `_recover` mends a stop between them."""
    staging.chmod(0o755)
    if target.exists():
        target.rename(_previous(target))
    staging.rename(target)
    shutil.rmtree(_previous(target), ignore_errors=True)


def _run(name, path, corpus, parameters, staging, target, how) -> dict:
    """Execute one notebook into `staging`; a failing one is kept where it can be read."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    executed = staging / "notebooks" / path.name
    executed.parent.mkdir(exist_ok=True)
    everything = {**parameters, "project": str(corpus.project), "out": str(staging)}
    try:
        papermill.execute_notebook(
            str(path),
            str(executed),
            parameters=everything,
            progress_bar=False,
            cwd=str(path.parent),
            extra_arguments=list(QUIET_KERNEL),
            # It is written when the last cell is done or one has failed; nobody reads it before.
            request_save_on_cell_execute=False,
            **how,
        )
    except PapermillExecutionError as error:
        kept = _failed(target) / path.name
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(executed, kept)
        raise ReportError(
            f"notebooks/{path.name}: cell {error.exec_count} failed: "
            f"{error.ename}: {error.evalue}\n"
            f"the executed notebook with its traceback: {kept}\n"
            f"the previous reports in {target} are as they were"
        ) from None
    _forget_places(executed, corpus.project)
    used = {key: info["default"] for key, info in declared(path).items()} | parameters
    return {
        "parameters": {key: used[key] for key in used if key not in ("project", "out")},
        "inputs": corpus.checksums,
    }


def _forget_places(executed: Path, project: Path) -> None:
    """Take places, timings, chance and what needs a kernel out of an executed notebook.

    What is left can be shared, and is the same for the same data: a widget is named at random.
    """
    import nbformat

    notebook = nbformat.read(executed, as_version=4)
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            # Papermill gives this cell another id at random in every run.
            cell.id = "injected-parameters"
            lines = cell.source.splitlines()
            cell.source = "\n".join(
                line for line in lines if not line.startswith(("project = ", "out = "))
            )
    nbformat.write(notebook, executed)


def _carry_over(target: Path, staging: Path, corpus: Corpus, renewed: set[str]) -> dict[str, dict]:
    """The finished reports that this run does not renew, copied from the previous one."""
    if not (target / MANIFEST).is_file():
        return {}
    shutil.copytree(target, staging, dirs_exist_ok=True)
    reports = json.loads((target / MANIFEST).read_text("utf-8"))["reports"]
    kept = {name: run for name, run in reports.items() if name not in renewed}
    for name in set(reports) & renewed:
        values = staging / "values" / f"{name}.json"
        content = json.loads(values.read_text("utf-8"))
        names = [f"figures/{figure['id']}" for figure in content["figures"]]
        names += [f"tables/{name}" for name in content.get("tables", [])]
        for file in [file for name in names for file in staging.glob(f"{name}.*")]:
            file.unlink()
        values.unlink()
    return kept


def _finish(corpus: Corpus, runs: dict[str, dict], staging: Path, target: Path) -> Outcome:
    """Pages, index, values and manifest from the executed notebooks in `staging`."""
    import nbformat

    from evidence.publishing import index as index_page
    from evidence.publishing import pages
    from evidence.publishing.footnotes import linked

    executed = {
        name: nbformat.read(staging / "notebooks" / f"{name}.ipynb", as_version=4) for name in runs
    }
    described = {name: pages.describe_notebook(name, book) for name, book in executed.items()}
    audited = linked(error_rate(corpus), page="index")
    beside = {path.name for path in (staging / "figures").glob("*")}
    rendered = {
        name: pages.render_notebook(
            book,
            described[name],
            list(described.values()),
            list(runs[name]["parameters"].items()),
            audited,
            beside,
        )
        for name, book in executed.items()
    }
    shared = _shared(runs)
    rendered["index"], ledger = index_page.render_index(
        corpus,
        list(described.values()),
        scope=shared.get("scope", "guide"),
        confidence=shared.get("confidence", 0.95),
        notes=_notes(corpus, runs),
    )
    for name, text in pages.joined(rendered).items():
        (staging / f"{name}.html").write_text(text, "utf-8")
    kept, written = {"index": ledger.values}, {"index": ledger.texts}
    for name in runs:
        path = staging / "values" / f"{name}.json"
        if path.is_file():
            content = json.loads(path.read_text("utf-8"))
            kept[name], written[name] = content["values"], content["texts"]
    numbers = _by_page(kept)
    _write_json(staging / "values.json", numbers)
    _write_json(staging / "texts.json", _by_page(written))
    _write_json(
        staging / MANIFEST,
        {"evidence": version("evidence"), "inputs": corpus.checksums, "reports": runs},
    )
    figures = len(list((staging / "figures").glob("*.svg")))
    return Outcome(target, tuple(runs), figures, len(numbers))


def _by_page(parts: Mapping[str, dict]) -> dict:
    return {f"{name}/{key}": entry for name in parts for key, entry in parts[name].items()}


def _write_json(path: Path, content) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _shared(runs: Mapping[str, dict]) -> dict:
    """Shared parameters on which all reports of this run agree."""
    first, *others = [run["parameters"] for run in runs.values()]
    return {
        name: first[name]
        for name in SHARED
        if name in first and all(other.get(name) == first[name] for other in others)
    }


def _notes(corpus: Corpus, runs: Mapping[str, dict]) -> list[str]:
    """What the index must admit: reports from earlier data, or made with other parameters."""
    notes = []
    old = [name for name, run in runs.items() if run["inputs"] != corpus.checksums]
    if old:
        notes.append(f"Made from earlier data and not renewed in this run: {', '.join(old)}.")
    narrow = [
        name
        for name, run in runs.items()
        if run["parameters"].get("conditions") or run["parameters"].get("outcomes")
    ]
    if narrow:
        notes.append(f"Narrowed to part of the data by their parameters: {', '.join(narrow)}.")
    return notes
