"""Start the command line, as `evidence` or `python -m evidence`.

The overview of the commands is printed from here, because importing click takes three times as
long as starting Python.
"""

import contextlib
import io
import os
import signal
import sys

COMMANDS = {
    "check": "Check the tables and the bibliography, and whether the numbers are consistent.",
    "report": "Check the data, run the notebooks, and write pages, figures and values.",
    "pool": "Run a meta-analysis of one outcome, or say why the studies should not be pooled.",
    "dose-response": "Fit one curve to the doses of all trials, or say why there is none.",
    "methods": "Write the methods section of a manuscript on a pooled question.",
    "unknowns": "List what remains unknown, with the evidence on each question.",
    "why": "Trace a number, figure, claim or study back to its source.",
    "cite": "Print the citation of a figure, table or source.",
    "export": "Export a figure or table for a manuscript (Word, LaTeX or HTML), or the report as one file.",
    "release": "Build the archive of a version, for a repository that gives it a DOI.",
    "identify": "Identify a figure or table and say whether it is current.",
    "diff": "Show what changed between two versions of a project, and why.",
    "columns": "Explain the columns of a table.",
    "import": "Bring in what other programs hold: 'evidence import FILE'.",
    "export-data": "Write the studies of a question as a table for another program.",
    "audit": "Check a random sample of rows against their sources.",
    "search": "Record a search for studies as PRISMA-S asks, or list the recorded ones.",
    "wanted": "List what to look up in the sources, the most valuable first.",
    "new": "Create a project on a topic of your own.",
}
MIN_MEMORY = 500 * 2**20
"""Bytes of address space in which the libraries load."""
MIN_OPEN_FILES = 64
"""Twice as many as a build of two notebooks at a time opens."""
MAX_TIME = 253_402_300_799
"""Seconds from 1970 to the end of the year 9999, after which no date can be written."""
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals at which a command removes what it has begun, and ends."""
USAGE = """\
Usage: evidence COMMAND [OPTIONS]

Track what studies reported, compare it, and list what remains unknown.

Commands:
{commands}

Options:
  --version  Print the version.
  --help     Print this overview.

Run 'evidence COMMAND --help' for the options of a command, with examples.
"""


def overview() -> str:
    """Return the overview of all commands."""
    lines = [f"  {name:<15}{text}" for name, text in COMMANDS.items()]
    return USAGE.format(commands="\n".join(lines))


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        _stop_at_signals()
        return _run()
    except KeyboardInterrupt as interrupt:
        # While the libraries of a command were loaded; after that, the command says it.
        sys.stderr.write("evidence: stopped.\n")
        return 128 + interrupt.args[0]


def _stop_at_signals() -> None:
    """Let each of these signals end the command as Ctrl-C does; those that are ignored stay so."""
    for number in [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _: object) -> None:
    # Whoever presses Ctrl-C twice does not interrupt the cleaning up. With SIG_IGN, Python would
    # complain of a signal that came at the same moment.
    for name in STOPPING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: None)
    raise KeyboardInterrupt(number)


def _run() -> int:
    _prepare_streams()
    is_completion = "_EVIDENCE_COMPLETE" in os.environ
    if sys.argv[1:] in ([], ["--help"]) and not is_completion:
        # If it cannot be written, click says so when it tries as well.
        with contextlib.suppress(OSError):
            sys.stdout.write(overview())
            sys.stdout.flush()
            return 0
    if problem := _limit_problem() or _variable_problem():
        sys.stderr.write(f"evidence: {problem}\n")
        return 1
    from evidence.cli import main as run_command

    return run_command()


def _prepare_streams() -> None:
    """Make sure that a command can print whatever it has to say, and read whatever it is given.

    Python has no stream where the caller closed one, and its number would go to the next file
    that is opened. Letters that the encoding lacks, or cannot read, become their codes.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "r+"))
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _limit_problem() -> str:
    """Say that this process is limited to less memory or fewer open files than it takes, if it is.

    The libraries would end in tracebacks, or try again without end.
    """
    try:
        import resource
    except ImportError:
        # Windows has no such limits.
        return ""
    for name, least, unit, option in (
        (resource.RLIMIT_AS, MIN_MEMORY, 2**20, "MiB (ulimit -v)"),
        (resource.RLIMIT_NOFILE, MIN_OPEN_FILES, 1, "open files (ulimit -n)"),
    ):
        limit, _ = resource.getrlimit(name)
        if limit != resource.RLIM_INFINITY and limit < least:
            limits = f"{limit // unit:,} {option}, but needs {least // unit:,}"
            return f"this process is limited to {limits}. Raise the limit"
    return ""


def _variable_problem() -> str:
    """Say that the time at which files state to be made is none; NumPy would end in a traceback."""
    time = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if time.isascii() and time.isdigit() and int(time[:13]) <= MAX_TIME:
        return ""
    return f"SOURCE_DATE_EPOCH is '{time}', not seconds since 1970. Correct or unset it"


if __name__ == "__main__":
    sys.exit(main())
