"""Kill builds at random moments, and compare what the next build writes with an undisturbed one.

    python -m benchmarks.kills --kills 100 --seed 1
    python -m benchmarks.kills --kills 30 --seed 1 --project .

Each round changes the tables, starts `evidence report`, and sends SIGKILL at a random moment to the
command, to one of its processes or to all of them. The next build must write, byte for byte, what a
build writes that was never disturbed, and must leave no process, temporary file or hidden folder.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from evidence.build.new_project import create_project

MARK = "EVIDENCE_KILLS"
"""A variable in the environment of every process of a round."""
ONLY = ["start", "studies"]
VICTIMS = ("command", "process", "group")
MAX_SECONDS = 600


class Trial:
    """A copy of a project, with undisturbed reports for each state of its tables."""

    def __init__(self, project: Path, folder: Path, *, everything: bool) -> None:
        self.project, self._folder = project, folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._studies = project / "data" / "studies.csv"
        self._everything = everything
        self._text = self._studies.read_text("utf-8")
        self._expected: dict[int, dict[str, bytes]] = {}

    def set_tables(self, state: int) -> None:
        """Write one of three states of the tables; the third differs from the first in a remark."""
        header, *lines = self._text.splitlines(keepends=True)
        kept = lines[:-1] if state == 1 else lines
        self._studies.write_text("".join([header, *kept]) + "\n" * (state == 2), "utf-8")

    def start(self, out: Path, cache: str = "") -> subprocess.Popen:
        """Start a build that leads a group of its own."""
        command = [sys.executable, "-m", "evidence", "report", "--project", self.project]
        only = [] if self._everything else [part for name in ONLY for part in ("--only", name)]
        environment = os.environ | {
            MARK: str(self._folder), "TMPDIR": str(self.temporary), "EVIDENCE_STORE": cache
        }  # fmt: skip
        return subprocess.Popen(
            [*command, *only, "--out", out],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, out: Path, cache: str = "") -> str:
        """Build, and return what went wrong."""
        process = self.start(out, cache)
        errors = process.communicate(timeout=MAX_SECONDS)[1]
        return f"exit code {process.returncode}: {errors[-500:]}" if process.returncode else ""

    def expected(self, state: int) -> dict[str, bytes]:
        """Return the files of a build of this state in a new folder."""
        if state not in self._expected:
            self.set_tables(state)
            with tempfile.TemporaryDirectory(dir=self._folder) as name:
                out = Path(name) / "reports"
                if problem := self.finish(out):
                    raise SystemExit(f"the undisturbed build failed: {problem}")
                self._expected[state] = read_files(out)
        return self._expected[state]

    def processes(self) -> dict[int, str]:
        """Return the processes of this trial that live, by their ids."""
        mark, found = f"{MARK}={self._folder}\0".encode(), {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (path / "environ").read_bytes():
                    found[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ")
        return found

    def left_over(self, out: Path) -> list[str]:
        """Return the processes, temporary files and unfinished folders that live on."""
        deadline = time.monotonic() + 10
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        names = [f"process {number}: {text}" for number, text in self.processes().items()]
        names += [str(path) for path in sorted(self.temporary.iterdir())]
        names += [str(path) for path in sorted(out.parent.iterdir()) if path != out]
        hidden = (path for path in self.project.rglob("*") if path.name.startswith("."))
        return names + [str(path) for path in hidden]


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of each file of a folder by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def kill(trial: Trial, process: subprocess.Popen, victim: str, chance: random.Random) -> None:
    """Kill the command, one process that it started, or all of them."""
    if victim == "group":
        for number in trial.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
    elif victim == "process" and (others := sorted(trial.processes().keys() - {process.pid})):
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(others), signal.SIGKILL)
    else:
        process.kill()
    process.communicate(timeout=MAX_SECONDS)


def rounds(trial: Trial, kills: int, chance: random.Random, out: Path) -> Iterator[list[str]]:
    """Yield what went wrong in each round."""
    started = time.monotonic()
    trial.expected(0)
    seconds = time.monotonic() - started
    cache = str(trial.temporary.parent / "cache")
    for _ in range(kills):
        state, victim = chance.randrange(3), chance.choice(VICTIMS)
        trial.expected(state)
        trial.set_tables(state)
        if chance.random() < 0.3:
            shutil.rmtree(out, ignore_errors=True)
        moment = chance.uniform(0, 1.1 * seconds)
        process = trial.start(out, cache)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        kill(trial, process, victim, chance)
        later = chance.choice([state, chance.randrange(3)])
        expected = trial.expected(later)
        trial.set_tables(later)
        problems = [trial.finish(out, cache)]
        files = read_files(out)
        problems += [
            f"{name} differs" for name in files | expected if files.get(name) != expected.get(name)
        ]
        problems += [f"left over: {name}" for name in trial.left_over(out)]
        yield [f"{victim} after {moment:.2f} s: {text}" for text in problems if text]


def main() -> int:
    """Print the problems; the exit code is 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--project", type=Path, help="default: the invented example")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        project = folder / "project"
        if arguments.project:
            project.mkdir()
            for part in ("data", "notebooks", "references.bib", "CITATION.cff", "LICENSE-DATA"):
                source = arguments.project / part
                copy = shutil.copytree if source.is_dir() else shutil.copyfile
                copy(source, project / part)
        else:
            create_project(project)
        trial = Trial(project, folder, everything=bool(arguments.project))
        out = folder / "out" / "reports"
        out.parent.mkdir()
        problems = 0
        results = rounds(trial, arguments.kills, random.Random(arguments.seed), out)
        for number, found in enumerate(results, 1):
            problems += len(found)
            for text in found:
                print(f"{number}: {text}", flush=True)
            if number % 10 == 0:
                print(f"{number} of {arguments.kills} kills, {problems} problems", flush=True)
    print(f"{arguments.kills} kills (seed {arguments.seed}): {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
