"""What `evidence report` asks for: one folder of reports, or one for each of many sets."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evidence.corpus.reading import Corpus, find_project, read_corpus
from evidence.errors import ParameterError, ReportError
from evidence.publishing.notebooks import notebooks_of
from evidence.runs.filling import Outcome, Progress, make_sets
from evidence.runs.folders import alone
from evidence.runs.making import Maker, make
from evidence.runs.parameters import declared, resolve
from evidence.runs.plan import Wanted


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
    force: bool = False,
    jobs: int | None = None,
    maker: Maker = make,
    progress: Progress | None = None,
) -> Outcome:
    """Check the data, make what changed, and put the finished pages in place of the old ones.

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
    force : bool
        Make also what would come out the same.
    jobs, maker, progress
        As of `make_sets`.

    Raises
    ------
    CorpusError, ParameterError, ReportError
        Before anything is written. A notebook that fails is told of in the outcome; `OUT.failed/`
        keeps it with its traceback.
    """
    if memory_limit is not None and (memory_limit < 1 or engine != "evidence"):
        rule = "a whole number of MiB above 0, and not with --engine kernel"
        raise ParameterError(f"--memory {memory_limit}: {rule}")
    folder = find_project(project)
    target = Path(out or folder / "reports").resolve()
    notebooks = find_notebooks(folder, only)
    parameters = resolve(given or {}, {name: declared(path) for name, path in notebooks.items()})
    wanted = Wanted(
        "",
        folder,
        target,
        notebooks,
        parameters,
        partial=bool(only),
        force=force,
        tiff=tiff,
        engine=engine,
        memory_limit=memory_limit,
    )
    progress = progress or Progress()
    with alone(target, lambda: progress.said("waiting for another run")):
        (outcome,) = make_sets(
            [wanted], _reader(folder, [parameters]), jobs=jobs, maker=maker, progress=progress
        )
    return outcome


def _reader(project: Path, sets: Sequence[Mapping[str, dict]]) -> Callable[[], Corpus]:
    """Reads and checks the tables, and the words that the parameters take from them."""

    def read() -> Corpus:
        from evidence.synthesis.checks import require_consistent

        corpus = read_corpus(project)
        require_consistent(corpus)
        for parameters in sets:
            _check_words(corpus, parameters)
        return corpus

    return read


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
