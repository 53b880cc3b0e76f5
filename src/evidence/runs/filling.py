"""Reports made: those that would come out otherwise, in parallel, each set put in place as a whole.

A report that fails does not stop the others. Its notebook is kept with the traceback, and the page
that an earlier run made of it stays, marked as such.
"""

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from evidence.errors import ReportError
from evidence.runs.folders import (
    failed,
    put_in_place,
    read_manifest,
    recover,
    require_replaceable,
    staged,
)
from evidence.runs.making import Failure, Maker, keep
from evidence.runs.plan import Wanted, changes, is_current, reasons
from evidence.runs.recipe import marks

WORK = ".jobs"
"""Where in a folder that is being filled each report has a folder of its own."""


@dataclass(frozen=True)
class Outcome:
    """What became of one set.

    `reports` are all that stand in `out` now; `made` says of each that was asked for why it was
    made, empty if it would have been the same; `failures` says of some what went wrong, and `kept`
    where their executed notebooks are.
    """

    name: str
    out: Path
    reports: tuple[str, ...]
    figures: int
    values: int
    made: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, Path] = field(default_factory=dict)


class Progress:
    """Told what happens, by several threads at once; this one keeps it to itself."""

    def planned(self, jobs: int) -> None:
        """So many reports have to be made."""

    def began(self, job: str) -> None:
        """A report is being made from now on."""

    def ended(self, job: str, failure: Failure | None) -> None:
        """A report is made, or is not."""

    def said(self, text: str) -> None:
        """Something else that takes time."""


def make_sets(
    sets: Sequence[Wanted],
    corpus,
    *,
    jobs: int | None = None,
    maker: Maker,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Make the reports of some sets; each set is in place when its outcome is told.

    Parameters
    ----------
    corpus : callable
        Reads and checks the tables; asked only if some set is not as it would become.
    jobs : int, optional
        So many reports at once; as many as the maker says.
    maker : Maker
        Makes each report, possibly on another machine.

    Raises
    ------
    CorpusError, ReportError
        Nothing was made: the tables are at fault, or a folder cannot be written.
    """
    progress = progress or Progress()
    open_sets = []
    for wanted in sets:
        recover(wanted.target)
        if is_current(wanted):
            yield _as_it_was(wanted)
        else:
            open_sets.append(wanted)
    if not open_sets:
        return
    if any(wanted.engine == "evidence" for wanted in open_sets):
        maker.prepare()
    from evidence.corpus.reads import Comparison
    from evidence.publishing.drawing import forget_old
    from evidence.publishing.index import compute_ahead

    corpus = corpus()
    compare = Comparison(corpus).changes
    open_sets = [replace(wanted, parameters=wanted.checked()) for wanted in open_sets]
    for wanted in open_sets:
        require_replaceable(wanted.target, wanted.project)
    progress.said("looking for what changed")
    plans = [(wanted, reasons(wanted, compare)) for wanted in open_sets]
    progress.planned(sum(bool(why) for _, found in plans for why in found.values()))
    many = sum(any(why.values()) for _, why in plans) > 1
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(_pool(jobs or maker.jobs, maker))
        filling = [
            _Filling(wanted, why, compare, stack, pool, maker, progress, many)
            for wanted, why in plans
        ]
        waiting = {future for one in filling for future in one.futures}
        if waiting:
            compute_ahead(corpus)
        while filling:
            for one in [one for one in filling if one.done]:
                filling.remove(one)
                progress.said(f"pages {one.wanted.name}".strip())
                yield one.finish(corpus)
            if waiting and filling:
                _, waiting = wait(waiting, return_when=FIRST_COMPLETED)
    forget_old()


@contextlib.contextmanager
def _pool(jobs: int, maker: Maker) -> Iterator[ThreadPoolExecutor]:
    """Threads that each wait for one report; all end if this one is stopped."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        maker.stop()
        raise
    finally:
        pool.shutdown()


class _Filling:
    """The folder of one set while its reports are being made."""

    def __init__(self, wanted, why, compare, stack, pool, maker, progress, many):
        self.wanted, self.why, self._compare = wanted, why, compare
        self._old = read_manifest(wanted.target).get("reports", {})
        self._stack = contextlib.ExitStack()
        stack.enter_context(self._stack)
        self.staging = self._stack.enter_context(staged(wanted.target))
        # As it is now: a notebook that is edited while it runs is another one.
        self._recipes = {name: wanted.recipe(name) for name in why}
        self.futures: dict[Future, str] = {}
        for name in [name for name, reason in why.items() if reason]:
            run = _told(maker, progress, f"{wanted.name} {name}".strip())
            future = pool.submit(run, wanted.job(name, many=many), self.staging / WORK / name)
            self.futures[future] = name

    @property
    def done(self) -> bool:
        """Whether each of its reports is made or has failed."""
        return all(future.done() for future in self.futures)

    def finish(self, corpus) -> Outcome:
        """Put reports and pages together, and in the place of the old ones."""
        from evidence.runs.finishing import Entry, finish, used

        made = {name: future.result() for future, name in self.futures.items()}
        failures = {name: failure for name, failure in made.items() if failure}
        names = set(self.why) - set(failures)
        names |= set(self._old) if self.wanted.partial else set(self._old) & set(failures)
        entries = {}
        for name in sorted(names):
            if name in made and name not in failures:
                files = self._take(self.staging / WORK / name)
                entries[name] = Entry(
                    used(self.wanted.notebooks[name], self.wanted.parameters[name]),
                    self._recipes[name],
                    corpus.checksums,
                    marks(self.staging, files),
                )
                continue
            old = Entry(**self._old[name])
            asked = name in self.why and name not in failures
            current = asked or not changes(self.wanted.target, name, self._compare)
            entries[name] = old.now(corpus.checksums) if current else old
            for file in old.files:
                _copy(self.wanted.target / file, self.staging / file)
        said = {name: failure.says for name, failure in sorted(failures.items())}
        place = failed(self.wanted.target)
        shutil.rmtree(place, ignore_errors=True)
        kept = {name: place / f"{name}.ipynb" for name in failures if failures[name].notebook}
        for name, path in kept.items():
            keep(failures[name], path)
        shutil.rmtree(self.staging / WORK, ignore_errors=True)
        figures, values = finish(corpus, self.wanted, entries, said, self.staging)
        put_in_place(self.staging, self.wanted.target)
        self._stack.close()
        target = self.wanted.target
        return Outcome(
            self.wanted.name, target, tuple(entries), figures, values, dict(self.why), said, kept
        )

    def _take(self, folder: Path) -> list[str]:
        """Move the files of one report into the folder of all; two may have one alike."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in files:
            there = self.staging / path.relative_to(folder)
            if there.is_file() and there.read_bytes() != path.read_bytes():
                raise ReportError(
                    f"{path.relative_to(folder)}: two reports write it, and differently; "
                    f"the second is {folder.name}"
                )
            there.parent.mkdir(parents=True, exist_ok=True)
            path.replace(there)
        return [path.relative_to(folder).as_posix() for path in files]


def _told(maker: Maker, progress: Progress, said: str):
    """A maker that tells of its beginning and end."""

    def run(job, folder):
        progress.began(said)
        failure = maker(job, folder)
        progress.ended(said, failure)
        return failure

    return run


def _copy(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(old, new)


def _as_it_was(wanted: Wanted) -> Outcome:
    manifest = read_manifest(wanted.target)
    counted = manifest["figures"], manifest["values"]
    made = dict.fromkeys(wanted.notebooks, "")
    return Outcome(wanted.name, wanted.target, tuple(manifest["reports"]), *counted, made)
