"""The group of all commands, the options that they share, and what turns errors into messages.

Exit codes: 0 success, 1 the data or a notebook is at fault or a figure is out of date, 2 the
command itself is wrong, 130 stopped (129 and 143 by SIGHUP and SIGTERM), 141 the reader of the
output went away.
"""

import inspect
import math
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.dataset.text_checks import for_terminal, quote
from evidence.errors import DatasetError, EvidenceError, ParameterError
from evidence.files import atomic_write

if TYPE_CHECKING:
    from evidence.tables.text_table import Part


def choice_option(*names: str, words: Sequence[str], default: str, help: str) -> Callable:
    """Make an option that takes one of some words."""
    return click.option(
        *names, type=click.Choice(words), default=default, show_default=True, help=help
    )


def words_option(name: str, help: str) -> Callable:
    """Make an option that takes a word of the data and can be repeated; its values are a plural."""
    return click.option(f"--{name}", f"{name}s", multiple=True, metavar="WORD", help=help)


def date_option(*names: str, help: str) -> Callable:
    """Make an option that takes a date, without a default."""
    return click.option(
        *names, type=click.DateTime(formats=["%Y-%m-%d"]), metavar="DATE", help=help
    )


project_option = click.option(
    "--project",
    default="",
    metavar="DIR",
    help="Project folder, with references.bib and data/ (default: this folder or a parent).",
)


packaged_notebooks_option = click.option(
    "--packaged-notebooks",
    is_flag=True,
    help="Run only the notebooks of the evidence package and ignore those of the project, which "
    "are code.",
)


reports_option = click.option(
    "--reports",
    default="",
    metavar="DIR",
    help="Folder of finished reports (default: reports in the project).",
)


out_option = click.option(
    "--out", default="", metavar="FILE", help="File to write (default: print)."
)
format_option = choice_option(
    "--format", "output_format", words=("text", "json"), default="text", help="Output format."
)


class NumberRange(click.FloatRange):
    """A number in a range; NaN is none, although no comparison excludes it."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert the text of an option."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


@click.group(
    context_settings={"max_content_width": 100},
    epilog="Run 'evidence COMMAND --help' for the options of a command, with examples.",
)
@click.version_option(package_name="evidence", message="evidence %(version)s")
def evidence() -> None:
    """Track what studies reported, compare it, and list what remains unknown."""


def command(
    name: str, *examples: str, group: click.Group = evidence, **options: Any
) -> Callable[[Callable], Any]:
    """Register a function as a command of a group, with examples below its docstring."""

    def register(function: Callable) -> Any:
        # Click keeps the lines below \b as they are.
        text = "\n".join(f"    {example}" for example in examples)
        help_text = f"{inspect.getdoc(function)}\n\nExamples:\n\n\b\n{text}"
        return group.command(name, help=help_text, **options)(function)

    return register


def echo(text: object, *, err: bool = False) -> None:
    """Print a line in which no text of a file can steer the terminal."""
    click.echo(for_terminal(str(text)), err=err)


def print_parts(parts: "Iterable[Part]") -> None:
    """Print texts and tables: as wide as the terminal, or as plain text where output is piped."""
    from evidence.tables.text_table import print_to_terminal, render_parts

    parts = list(parts)
    if not print_to_terminal(parts):
        echo(render_parts(parts))


def print_data(text: str) -> None:
    """Print a text for another program as it is; on a terminal it is made harmless as by `echo`."""
    click.echo(for_terminal(text) if sys.stdout.isatty() else text, nl=False)


def print_or_write(text: str, out: str, remark: str = "") -> None:
    """Print a text, or write it to a file and say so, with a remark."""
    if not out:
        print_data(text)
        return
    try:
        atomic_write(Path(out), text)
    except OSError as error:
        raise EvidenceError(f"--out {out}: cannot be written: {error.strerror}") from None
    echo(f"written: {out}{remark}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and turn errors that a user can act on into messages.

    The exit code is explained at the top of this module.
    """
    try:
        _require_possible(arguments or ())
        code = evidence.main(arguments, prog_name="evidence", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DatasetError as error:
        problems = "1 problem" if error.count == 1 else f"{error.count:,} problems"
        echo(f"{error}\n{problems} found. Nothing was written.", err=True)
        return 1
    except EvidenceError as error:
        echo(f"evidence: {error.in_options()}", err=True)
        return 2 if isinstance(error, ParameterError) else 1
    except BrokenPipeError:
        # Python would complain once more when it closes the output that nobody reads.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except UnicodeEncodeError as error:
        text = ascii(error.object[max(0, error.start - 20) : error.end])
        echo(
            f"evidence: {text} cannot be written in UTF-8. Rename the file, or type it anew",
            err=True,
        )
        return 1
    except OSError as error:
        # Only of writing to a stream no file is known.
        echo(f"evidence: {error.filename or 'output'}: {error.strerror or error}", err=True)
        return 1
    except (click.Abort, KeyboardInterrupt) as error:
        echo("\nevidence: stopped. The previous reports are unchanged.", err=True)
        # Click turns an interrupt into Abort. Its argument is the signal, see `evidence.__main__`.
        numbers = [n for n in (error.__cause__ or error).args if isinstance(n, int)]
        return 128 + (numbers or [signal.SIGINT])[0]
    return code or 0


def _require_possible(arguments: Sequence[str]) -> None:
    """Refuse what no shell can pass on, but a caller in Python can: no file has such a name."""
    for argument in arguments:
        try:
            is_possible = b"\0" not in os.fsencode(argument)
        except UnicodeEncodeError:
            is_possible = False
        if not is_possible:
            raise ParameterError(
                f"{quote(argument)}: no argument can hold a NUL or half a character"
            )
