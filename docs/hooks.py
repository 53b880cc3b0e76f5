"""Fill the documentation pages from the package: data model, Python API, references, decisions.

mkdocs calls `on_page_markdown` for every page. A page asks for generated text with a marker such as
`<!-- generated: data model -->` and cites a work on methods as `[@wilson1927]`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

from evidence.cli import evidence
from evidence.dataset import schema
from evidence.dataset.bibliography import read_bibliography
from evidence.dataset.citations.vancouver import format_vancouver
from evidence.provenance.methods import read_method_references

ROOT = Path(__file__).resolve().parents[1]
MARKER = re.compile(r"<!-- generated: ([a-z ]+) -->")
CITATION = re.compile(r"\[@(\w+)\]")


def on_page_markdown(markdown: str, **_) -> str:
    """Return the page with generated parts and citations filled in."""
    return cite_sources(MARKER.sub(lambda match: GENERATORS[match[1]](), markdown))


def cite_sources(markdown: str) -> str:
    """Replace each `[@key]` by a link and append the list of the works cited."""
    keys = sorted(set(CITATION.findall(markdown)))
    if not keys:
        return markdown
    bibliography = {**read_bibliography(ROOT / "references.bib"), **read_method_references()}
    linked = CITATION.sub(lambda match: f"[{bibliography[match[1]].label}](#{match[1]})", markdown)
    entries = [f'<a id="{key}"></a>{format_vancouver(bibliography[key])}' for key in keys]
    return f"{linked}\n\n## References\n\n" + "\n\n".join(entries) + "\n"


def data_model() -> str:
    """Return a section for each table, with its columns."""
    return "\n".join(_table_section(table) for table in schema.TABLES)


def _table_section(table: schema.Table) -> str:
    lines = [
        f"### `{table.file}`",
        "",
        f"One row is {table.row}. A row is identified by {', '.join(f'`{k}`' for k in table.key)}.",
        "",
        "| column | kind | required | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for column in table.columns:
        words = f" One of: {', '.join(column.words)}." if column.kind == "word" else ""
        files = filter(None, (column.target, column.second_target))
        target = " or ".join(f"`{file}`" for file in files)
        target = f" of {target}" if target else ""
        required = "yes" if column.required else ""
        meaning = f"{column.description}.{words}".replace("|", "\\|")
        lines.append(f"| `{column.name}` | {column.kind}{target} | {required} | {meaning} |")
    return "\n".join([*lines, ""])


def python_api() -> str:
    """Return a mkdocstrings block for every public name of the stub file, grouped by module."""
    stub = ast.parse((ROOT / "src" / "evidence" / "__init__.pyi").read_text("utf-8"))
    modules: dict[str, list[str]] = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            modules.setdefault(node.module, []).extend(alias.name for alias in node.names)
    blocks = []
    for module, names in modules.items():
        blocks.append(f"## evidence.{module}\n")
        blocks += [f"::: evidence.{module}.{name}\n" for name in sorted(names)]
    return "\n".join(blocks)


def command_line() -> str:
    """Return the help of every command, as the command itself prints it."""
    return "\n".join(_command_help(evidence, click.Context(evidence, info_name="evidence")))


def _command_help(group: click.Group, parent: click.Context) -> Iterator[str]:
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        context = click.Context(command, parent, info_name=name)
        yield f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"
        if isinstance(command, click.Group):
            yield from _command_help(command, context)


def decisions() -> str:
    """Return the architecture decision records as a list of links with their titles."""
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    titles = (path.read_text("utf-8").splitlines()[0].removeprefix("# ") for path in records)
    return "\n".join(
        f"- [{title}](adr/{path.name})" for title, path in zip(titles, records, strict=True)
    )


GENERATORS = {
    "data model": data_model,
    "python api": python_api,
    "command line": command_line,
    "decisions": decisions,
}
