"""What the command `evidence` understands: its commands and options, with an example of each."""

import argparse
from collections.abc import Iterator


class _Version(argparse.Action):
    """Print the version, which takes a while to be found out, and leave."""

    def __call__(self, parser, *_):
        from importlib.metadata import version

        parser.exit(message=f"evidence {version('evidence')}\n")


class _Styles:
    """The styles of citations; nobody but those who cite waits for them to load."""

    def __init__(self, kind: str):
        self._kind = kind

    def __iter__(self) -> Iterator[str]:
        from evidence.dataset import citations

        return iter(getattr(citations, self._kind))

    def __contains__(self, word: str) -> bool:
        return word in list(self)


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    whole = argparse.ArgumentParser(
        prog="evidence",
        description="Check the evidence tables and regenerate the reports made from them.",
        epilog="example:\n  evidence report -p scope=all\n  evidence check --project .",
        formatter_class=raw,
    )
    whole.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    report = commands.add_parser(
        "report",
        help="check the data, run the notebooks, write the pages",
        description="Check the data, run every notebook through papermill and write pages, figures "
        "and values. The previous reports stay as they were until everything is finished.",
        epilog="examples:\n  evidence report\n  evidence report -p scope=all -p confidence=0.9\n"
        "  evidence report --only comparison -p 'conditions=[\"bread\"]'\n"
        "  evidence report --set by-condition\n"
        "  evidence report --grid conditions=each confidence=0.9,0.95\n"
        "  evidence report --set all --scheduler tcp://192.0.2.7:8786\n"
        "  evidence report --out s3://bucket/reports",
        formatter_class=raw,
    )
    check = commands.add_parser(
        "check",
        help="check the tables and the bibliography only",
        description="Check every table and the bibliography, then whether the numbers fit "
        "together; all at once, one line each. An error stops reports until it is mended or "
        "waived.",
        epilog="examples:\n  evidence check --project path/to/project\n"
        "  evidence check --on 2027-12-01",
        formatter_class=raw,
    )
    check.add_argument(
        "--on", default="", metavar="DAY", help="warn of what is no longer fresh on a day"
    )
    why = commands.add_parser(
        "why",
        help="lead a number, figure, claim or study back to where it was read",
        description="Print where something comes from: the page and figure or table that shows it, "
        "the method and the rows that it was made from, and for each row what the text prints and "
        "where in which text that was read.",
        epilog="examples:\n  evidence why C01\n  evidence why baker1990\n"
        "  evidence why fig-dose-response\n  evidence why data/studies.csv:4\n"
        "  evidence why 'index/baker1990/yeast/risen/1 day.share' --format json",
        formatter_class=raw,
    )
    why.add_argument(
        "asked",
        metavar="X",
        help="a claim, question, study, address, figure or table, or the name of a value",
    )
    identify = commands.add_parser(
        "identify",
        help="say which figure a file is, and whether it is still current",
        description="Read a figure file found anywhere (SVG, PDF, PNG, TIFF or JPEG, whatever it "
        "is called now), or the id printed at its lower right corner, and say which figure and "
        "version it is, from which rows and studies, and whether today's reports draw it "
        "differently, and how. The exit code is 0 if it is current, else 1.",
        epilog="examples:\n  evidence identify ~/Downloads/image-17.png\n"
        "  evidence identify fig-dose-response@1a2b3c4 --format json",
        formatter_class=raw,
    )
    identify.add_argument("asked", metavar="FILE", help="a picture, or the id printed on one")
    identify.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people or machines"
    )
    cite = commands.add_parser(
        "cite",
        help="print the citation of a figure or table: its primary studies first, then itself",
        description="Print what to cite for a figure, table or source: the primary studies first, "
        "then the figure itself with its version, as part of the project in CITATION.cff.",
        epilog="examples:\n  evidence cite fig-shares\n"
        "  evidence cite fig-shares --style ris > fig-shares.ris\n"
        "  evidence cite reports/figures/fig-shares.json --style apa\n"
        "  evidence cite baker1990 miller2001 --style bibtex",
        formatter_class=raw,
    )
    cite.add_argument(
        "asked",
        nargs="+",
        metavar="FIGURE",
        help="id of a figure or table, file of a figure with its JSON beside it, or BibTeX key",
    )
    cite.add_argument(
        "--style",
        choices=_Styles("STYLES"),
        default="vancouver",
        metavar="STYLE",
        help="%(choices)s (default: vancouver)",
    )
    export = commands.add_parser(
        "export",
        help="write a figure or table for a manuscript: Word, LaTeX or HTML",
        description="Write a figure or table of the finished reports with its caption and its "
        "references, ready to paste into a manuscript. LaTeX and HTML are printed without --out.",
        epilog="examples:\n  evidence export tab-studies --format docx --out studies.docx\n"
        "  evidence export tab-summary-of-findings --format latex --style apa\n"
        "  evidence export fig-shares --format html --out fig-shares.html",
        formatter_class=raw,
    )
    export.add_argument("asked", metavar="ID", help="id of a figure or table, as on its page")
    export.add_argument(
        "--format", choices=("docx", "latex", "html"), required=True, help="the form of the file"
    )
    export.add_argument(
        "--style",
        choices=_Styles("TEXT_STYLES"),
        metavar="STYLE",
        default="vancouver",
        help="style of the references: %(choices)s (default: vancouver)",
    )
    export.add_argument("--out", default="", metavar="FILE", help="the file to write")
    for command in (check, why, identify, cite, export):
        command.add_argument(
            "--reports",
            default=None,
            metavar="DIR",
            help="finished reports to look in (default: reports in the project)",
        )
    why.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people or machines"
    )
    audit = commands.add_parser(
        "audit",
        help="draw results by chance and hold them to their sources",
        description="Draw results that nobody has audited yet, show each with its source, and ask "
        "whether the source says so. Each answer is kept in data/audits.csv at once; every report "
        "states the rate of errors found.",
        epilog="examples:\n  evidence audit --sample 20 --seed 1 --by 'A. Reader'\n"
        "  evidence audit --sample 20 --seed 1 --list",
        formatter_class=raw,
    )
    audit.add_argument("--sample", type=int, default=20, metavar="N", help="how many (default: 20)")
    audit.add_argument("--seed", type=int, default=1, metavar="N", help="which draw (default: 1)")
    audit.add_argument("--by", default="", metavar="NAME", help="who looks; an ORCID may follow")
    audit.add_argument("--list", action="store_true", help="show the draw and ask nothing")
    pool = commands.add_parser(
        "pool",
        help="pool the studies on one outcome, or say why they should not be",
        description="Pool the confirmed results on one outcome, of each study those nearest to a "
        "time, with heterogeneity, prediction interval and sensitivity analyses at full precision. "
        "What should not be pooled is refused with every reason.",
        epilog="examples:\n  evidence pool --outcome risen --measure rr\n"
        "  evidence pool --outcome risen --measure or --method mh --allow-nonrandomised",
        formatter_class=raw,
    )
    pool.add_argument("--outcome", required=True, metavar="WORD", help="an outcome of the data")
    pool.add_argument(
        "--measure", required=True, metavar="NAME", help="rr, or, rd, smd, md or proportion"
    )
    pool.add_argument(
        "--method",
        default="reml",
        metavar="NAME",
        help="reml (default), dl, pm, common (EE in metafor), mh or peto",
    )
    pool.add_argument(
        "--test",
        default="knha",
        metavar="NAME",
        help="knha (default), knha-adhoc (adhoc in metafor) or z",
    )
    pool.add_argument("--confidence", type=float, default=0.95, metavar="P", help="default 0.95")
    pool.add_argument(
        "--time-days", type=float, default=1.0, metavar="N", help="time wanted, in days (default 1)"
    )
    pool.add_argument(
        "--max-time-ratio",
        type=float,
        default=3.0,
        metavar="N",
        help="times up to N times earlier or later count (default 3)",
    )
    for name, what in (
        ("comparators", "kinds of comparison"),
        ("conditions", "conditions"),
        ("treatments", "treatments"),
    ):
        pool.add_argument(
            f"--{name}", nargs="+", default=[], metavar="WORD", help=f"only these {what}"
        )
    pool.add_argument(
        "--by",
        default="",
        metavar="NAME",
        help="also pool by condition, treatment, comparator, blinding or risk, and compare",
    )
    pool.add_argument(
        "--moderator",
        default="",
        metavar="NAME",
        help="also set effects against dose, days or year",
    )
    pool.add_argument(
        "--allow-nonrandomised",
        action="store_true",
        help="let randomised and other studies be pooled",
    )
    pool.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people or machines"
    )
    changes = commands.add_parser(
        "changes",
        help="say what changed between two versions, and why each number did",
        description="Compare two versions of a project, each a git revision, a project folder or "
        "the values.json of finished reports: studies and rows that came, went or were corrected, "
        "each headline number before and after with its cause, conclusions that crossed a stated "
        "threshold, and unknowns opened, narrowed or settled. All numbers are computed with the "
        "installed code; no code of another version is run.",
        epilog="examples:\n  evidence changes HEAD~1 .\n"
        "  evidence changes v0.1 v0.2 --format html --out changes.html\n"
        "  evidence changes old/reports/values.json reports/values.json",
        formatter_class=raw,
    )
    changes.add_argument("old", metavar="OLD", help="the earlier version")
    changes.add_argument("new", metavar="NEW", help="the later version")
    changes.add_argument(
        "--format",
        choices=("markdown", "html", "json"),
        default="markdown",
        help="for people (default: markdown) or machines",
    )
    changes.add_argument(
        "--out", default="", metavar="FILE", help="write there and not to the screen"
    )
    new = commands.add_parser(
        "new",
        help="begin a project on a topic of your own",
        description="Write a small working project with two invented studies into a new or empty "
        "folder: bibliography, tables, README, CITATION.cff and LICENSE-DATA. Check and report run "
        "on it at once; put your own studies in the place of the invented ones.",
        epilog="examples:\n  evidence new bread && cd bread && evidence report\n"
        "  evidence new bread --notebooks",
        formatter_class=raw,
    )
    new.add_argument("folder", metavar="DIR", help="does not exist yet, or is empty")
    new.add_argument(
        "--notebooks", action="store_true", help="copy the notebooks into it, to change them"
    )
    for command in (report, check, why, cite, export, audit, pool, changes, identify):
        command.add_argument(
            "--project",
            default="",
            metavar="DIR",
            help="folder with references.bib and data/ (default: the one you are in)",
        )
    report.add_argument(
        "--out",
        default=None,
        metavar="DIR",
        help="where the reports go, a folder or an address such as s3://bucket/reports "
        "(default: reports in the project, report-sets for many sets)",
    )
    report.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the notebooks; may be repeated; a list is JSON or a,b,c",
    )
    report.add_argument(
        "--set",
        dest="sets",
        action="append",
        default=[],
        metavar="NAME",
        help="a set or grid of parameters that reports.yml names, or all of them; may be repeated",
    )
    report.add_argument(
        "--grid",
        dest="grid",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME=A,B",
        help="one set for each combination of these values; each stands for every word of the data",
    )
    report.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NOTEBOOK",
        help="run only this notebook and carry the other pages over; may be repeated",
    )
    report.add_argument(
        "--engine",
        choices=("evidence", "kernel"),
        default="evidence",
        help="evidence (default): fork each notebook from a process with the libraries loaded; "
        "kernel: start a kernel for each",
    )
    report.add_argument(
        "--memory",
        type=int,
        default=None,
        metavar="MIB",
        help="what each notebook may take on top of the libraries (Linux; default: no limit)",
    )
    report.add_argument(
        "--jobs",
        type=int,
        default=None,
        metavar="N",
        help="so many reports at once (default: as many as there are cores)",
    )
    report.add_argument(
        "--scheduler",
        default="",
        metavar="ADDRESS",
        help="make the reports on the workers of this Dask scheduler, such as "
        "tcp://192.0.2.7:8786, and not on this machine",
    )
    report.add_argument(
        "--force",
        action="store_true",
        help="make also the reports that would come out the same",
    )
    report.add_argument(
        "--explain",
        action="store_true",
        help="say of each report why it was made, or that nothing it is made from changed",
    )
    report.add_argument(
        "--tiff", action="store_true", help="also write each figure as TIFF, for journals"
    )
    return whole
