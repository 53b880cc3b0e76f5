"""Commands that import references and results from files of other programs."""

from pathlib import Path
from typing import Any

import click

from evidence.cli.app import command, echo, print_data, project_option
from evidence.errors import ParameterError


class _ImportGroup(click.Group):
    """A group in which `import FILE` is short for `import data FILE`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["data", *args])


@command(
    "import",
    "evidence import review.rm5 --set condition=bread",
    "evidence import trials.csv --draft-mapping > mapping.yml",
    "evidence import refs zotero.ris",
    "evidence import data --help",
    cls=_ImportGroup,
)
def import_() -> None:
    """Bring in what other programs hold: 'evidence import FILE'.

    The file is one of RevMan (.rm5, its CSV export, or the zip of RevMan Web), of metafor or
    Metapsy (.csv or .xlsx), or any other table with one comparison per row and a mapping.
    """


@command(
    "refs",
    "evidence import refs zotero.ris",
    "evidence import refs pubmed.nbib --dry-run",
    group=import_,
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be added, and write nothing.")
@project_option
def import_refs(file: Path, dry_run: bool, project: str) -> int:
    """Import references into references.bib.

    FILE is an export in BibTeX, RIS, PubMed (nbib) or CSL-JSON, or the CSV of `evidence cite`.
    References that references.bib has already, by DOI, PMID, or title and year, are skipped. New
    ones get keys like miller2001.
    """
    from evidence.exchange.references import import_references
    from evidence.provenance.sentence import count

    done = import_references(project, file, dry_run=dry_run)
    verb = "would add" if dry_run else "added"
    echo(f"read: {file}, {done.form}, {count(done.read, 'reference').text}")
    for reference in done.added:
        echo(f"{verb}: {reference.key}, {reference.label}, {reference.title}")
    for reason in done.skipped:
        echo(f"skipped {reason}")
    for problem in done.incomplete:
        echo(f"incomplete: {problem}")
    added, skipped = count(len(done.added), "entry", plural="entries").text, len(done.skipped)
    echo(f"{verb} to references.bib: {added}; skipped: {skipped}")
    return 0


@command(
    "data",
    "evidence import trials.csv --set condition=bread --set outcome=mould \\",
    "    --set arm1=salt --set arm2=plain --set better=lower",
    "evidence import trials.xlsx --draft-mapping > mapping.yml",
    "evidence import trials.xlsx --mapping mapping.yml --dry-run",
    "evidence import review.rm5 --set condition=bread --skip-unfit",
    group=import_,
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--mapping",
    metavar="YML",
    type=click.Path(path_type=Path),
    help="File that says which column holds what.",
)
@click.option("--draft-mapping", is_flag=True, help="Print such a file for FILE, to correct.")
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="FIELD=WORD",
    help="A field that is the same for all rows; repeatable.",
)
@click.option(
    "--source",
    default="",
    metavar="KEY",
    help="BibTeX key of the text that the file belongs to (default: an entry for the file).",
)
@click.option(
    "--repeats",
    is_flag=True,
    help="Keep several numbers of one study, arm, outcome and time, told apart by their row.",
)
@click.option("--skip-unfit", is_flag=True, help="Leave out rows that do not fit, and list them.")
@click.option("--dry-run", is_flag=True, help="Say what would be added, and write nothing.")
@project_option
def import_data(
    file: Path,
    mapping: Path | None,
    draft_mapping: bool,
    values: tuple[str, ...],
    source: str,
    repeats: bool,
    skip_unfit: bool,
    dry_run: bool,
    project: str,
) -> int:
    """Import comparisons of two groups from a file of another program.

    Rows go to data/studies.csv, with file and row as locator, and are marked as imported and not
    read at their source. Studies are found in references.bib by key, DOI, or author and year;
    those that it lacks get an entry. What cannot be imported is listed. If anything is wrong,
    nothing is written.
    """
    from evidence.exchange.import_file import import_evidence
    from evidence.exchange.sheet import read_sheet
    from evidence.exchange.wide_table import draft_mapping as draft
    from evidence.provenance.sentence import count

    if draft_mapping:
        print_data(draft(read_sheet(file)))
        return 0
    fields = {}
    for value in values:
        name, separator, word = value.partition("=")
        if not separator:
            raise ParameterError(f"--set {value}: write FIELD=WORD, like --set outcome=mould")
        fields[name.strip()] = word.strip()
    done = import_evidence(
        project, file, mapping=mapping, values=fields, source=source,
        repeats=repeats, skip_unfit=skip_unfit, dry_run=dry_run,
    )  # fmt: skip
    verb = "would add" if dry_run else "added"
    echo(f"read:  {file}, {done.form}")
    for table, rows in done.rows.items():
        echo(f"{verb}: {table}, {count(rows, 'row').text}")
    if done.references:
        more = f" and {len(done.references) - 10:,} more" if len(done.references) > 10 else ""
        echo(f"{verb}: references.bib, {', '.join(done.references[:10])}{more}")
    for line in done.left_out:
        echo(f"left out: {line}")
    if not done.rows:
        echo("Nothing to add: the tables hold all of it already")
    elif dry_run:
        echo("next:  the same command without --dry-run")
    else:
        echo("next:  evidence check, then evidence report")
    return 0
