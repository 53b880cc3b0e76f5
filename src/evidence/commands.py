"""What each command does and prints; `cli` begins it, and says what went wrong."""

import contextlib
import shlex
import sys
from dataclasses import replace

from evidence.errors import MAX_PROBLEMS, EvidenceError, ParameterError


def _check(options) -> int:
    from evidence.analysis.audit_sample import overdue_reviews, parse_date
    from evidence.analysis.checks import check_consistency
    from evidence.dataset.dataset import load_dataset
    from evidence.provenance.sentence import count

    dataset = load_dataset(options.project)
    findings = check_consistency(dataset)
    _print_findings(findings)
    for line in overdue_reviews(dataset, parse_date(options.on)) if options.on else ():
        print(line)
    counting = sum(finding.is_blocking for finding in findings)
    waived = sum(bool(finding.waiver) for finding in findings)
    studies = dataset.results["study"].nunique()
    print(
        f"{len(dataset.results)} results of {studies} studies, {len(dataset.claims)} claims, "
        f"{len(dataset.unknowns)} open questions, {len(dataset.bibliography)} sources: "
        f"{count(counting, 'error')}, {waived} waived, {len(findings) - counting - waived} to note"
    )
    return 1 if counting else 0


def _print_findings(findings) -> None:
    """One line each; of very many only the first, those that count before others."""
    from collections import Counter

    first = sorted(range(len(findings)), key=lambda place: not findings[place].is_blocking)
    for place in sorted(first[:MAX_PROBLEMS]):
        print(findings[place])
    left_out = Counter(findings[place].code for place in first[MAX_PROBLEMS:])
    if left_out:
        codes = ", ".join(f"{many:,} {code}" for code, many in sorted(left_out.items()))
        print(f"and more that are not listed: {codes}")


def _why(options) -> int:
    import json
    from pathlib import Path

    from evidence.dataset.dataset import load_dataset
    from evidence.report.trace import trace_number

    dataset = load_dataset(options.project)
    reports = Path(options.reports or dataset.project / "reports")
    chains = trace_number(dataset, reports, options.asked)
    if options.format == "json":
        data = [chain.as_data(dataset) for chain in chains]
        print(json.dumps(data, indent=1, ensure_ascii=False))
    else:
        print("\n\n".join(chain.as_text(dataset) for chain in chains))
    return 0


def _identify(options) -> int:
    import json
    from pathlib import Path

    from evidence.dataset.dataset import load_dataset
    from evidence.report.identify_figure import identify_figure

    dataset = load_dataset(options.project)
    reports = Path(options.reports or dataset.project / "reports")
    found = identify_figure(dataset, reports, options.asked)
    if options.format == "json":
        print(json.dumps(found.as_data(), indent=1, ensure_ascii=False))
    else:
        print(found.as_text())
    return 0 if found.current else 1


def _cite(options) -> int:
    from pathlib import Path

    from evidence.dataset.citations import STYLES
    from evidence.dataset.dataset import load_dataset
    from evidence.report.cite import cited_sources

    dataset = load_dataset(options.project)
    reports = Path(options.reports or dataset.project / "reports")
    print(STYLES[options.style](cited_sources(dataset, reports, options.asked)), end="")
    return 0


def _export(options) -> int:
    from pathlib import Path

    from evidence.dataset.dataset import load_dataset
    from evidence.report.export import export_document, write_document

    if options.format == "docx" and not options.out:
        raise ParameterError(
            "A Word document cannot be printed. Name a file, for example "
            f"--out {options.asked}.docx."
        )
    dataset = load_dataset(options.project)
    reports = Path(options.reports or dataset.project / "reports")
    item = (dataset, reports, options.asked, options.format, options.style)
    if not options.out:
        print(export_document(*item).decode(), end="")
        return 0
    for path in write_document(*item, Path(options.out)):
        print(f"written: {path}")
    return 0


def _pool(options) -> int:
    import json

    from evidence.analysis.pooling.pooled_estimate import meta_analyse
    from evidence.analysis.results import select_results
    from evidence.dataset.dataset import load_dataset

    dataset = load_dataset(options.project)
    found = meta_analyse(
        dataset,
        select_results(dataset),
        outcome=options.outcome,
        measure=options.measure,
        method=options.method,
        test=options.test,
        confidence=options.confidence,
        time_days=options.time_days,
        max_time_ratio=options.max_time_ratio,
        comparators=options.comparators,
        conditions=options.conditions,
        treatments=options.treatments,
        subgroup_by=options.by,
        moderator=options.moderator,
        allow_nonrandomised=options.allow_nonrandomised,
    )
    if options.format == "json":
        print(json.dumps(found.as_data(), indent=1, ensure_ascii=False))
        return 0
    print(f"{found.outcome}, {found.scale}")
    for row in found.studies.itertuples():
        print(
            f"  {row.label}: {row.yi:.4f} ({row.ci_low:.4f} to {row.ci_high:.4f}) — {row.comparison}"
        )
    data = found.as_data()
    for name, value in data["pooled"].items():
        print(f"{name}: {value}")
    for name, value in data["natural"].items():
        print(f"{name} on the natural scale: {value}")
    for name, group in (data["subgroups"] or {"groups": {}})["groups"].items():
        said = group["natural"] or "one study, no pool"
        print(f"{found.subgroup_by} {name} ({', '.join(group['studies'])}): {said}")
    for name in ("subgroups", "regression"):
        test = data[name] and (data[name] if name == "regression" else data[name]["difference"])
        if test:
            print(f"{name}: {test}")
    for name, reason in found.omitted_analyses.items():
        print(f"{name}: not computed, {reason}")
    return 0


QUESTION = "[y] says so  [n] says something else  [f] not found there  [s] skip  [q] stop: "


def _audit(options) -> int:
    from datetime import date

    from evidence.analysis.audit_sample import draw_sample, error_rate
    from evidence.dataset.dataset import append_row, load_dataset
    from evidence.dataset.schema import AUDITS
    from evidence.report.trace import trace_number

    if not options.by and not options.list:
        raise ParameterError("--by: is missing; say who looks, such as --by 'A. Reader'")
    dataset = load_dataset(options.project)
    rows = draw_sample(dataset, options.sample, options.seed)
    kept = 0
    for number, row in enumerate(rows.itertuples(), start=1):
        (chain,) = trace_number(dataset, dataset.project, row.address)
        print(f"\n{number} of {len(rows)}: {chain.as_text(dataset)}")
        if options.list:
            continue
        answer, found = _ask()
        if answer == "stop":
            break
        if answer == "skip":
            continue
        cells = {name: getattr(row, name) for name in ("row", "study", "arm", "outcome")}
        told = {
            "as_printed": row.as_printed,
            "answer": answer,
            "found": found,
            "signed_by": options.by,
        }
        when = {"date": date.today().isoformat(), "seed": options.seed}
        append_row(dataset.project, AUDITS, cells | told | when)
        kept += 1
    if not options.list:
        print(f"\n{kept} answers kept in {AUDITS.file}")
        print(error_rate(load_dataset(dataset.project)))
    return 0


def _ask() -> tuple[str, str]:
    """What the person found, and in case of an error what the source says; no answer stops."""
    answers = {"y": "confirmed", "f": "not found", "s": "skip", "q": "stop"}
    while True:
        try:
            said = input(QUESTION).strip().lower()[:1]
            if said == "n":
                found = input("it says: ").strip()
                if found:
                    return "wrong", found
            elif said in answers:
                return answers[said], ""
        except EOFError:
            return "stop", ""


def _report(options) -> int:
    from evidence.build.build import BuildOptions, build_batch, build_reports
    from evidence.build.progress import ProgressBar
    from evidence.build.remote_output import output_location
    from evidence.notebook.parameters import parse_assignments

    given = parse_assignments(options.parameters)
    how = BuildOptions(
        only=options.only,
        force=options.force,
        tiff=options.tiff,
        engine=options.engine,
        memory_limit=options.memory,
        jobs=options.jobs,
    )
    batch = bool(options.sets or options.grid)
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(ProgressBar())
        if options.scheduler:
            from evidence.build.dask_executor import DaskExecutor

            how = replace(how, executor=stack.enter_context(DaskExecutor(options.scheduler)))
        there = stack.enter_context(
            output_location(options.out, is_batch=batch, status=progress.status)
        )
        asked = {"out": there.folder, "parameters": given, "options": how, "progress": progress}
        if batch:
            sets = {"sets": options.sets, "grid": options.grid}
            made = list(build_batch(options.project, **sets, **asked))
        else:
            made = [build_reports(options.project, **asked)]
    return _tell(made, there.address_of, explain=options.explain)


def _tell(made, shown, *, explain: bool) -> int:
    """What became of the reports, with paths as `shown` has them; 1 if some could not be made."""
    for outcome in made if explain else ():
        for name, why in outcome.reasons.items():
            said = f"made: {why}" if why else "as it was: nothing that it is made from changed"
            if name in outcome.failures:
                said = f"could not be made: {why}"
            print(f"{outcome.name} {name}: {said}".lstrip())
    asked = [why for outcome in made for why in outcome.reasons.values()]
    failures = sum(len(outcome.failures) for outcome in made)
    counted = f"{sum(map(bool, asked)) - failures} reports, {asked.count('')} more as they were"
    figures, values = sum(one.figures for one in made), sum(one.values for one in made)
    where = made[0].folder.parent if made[0].name else made[0].folder
    print(f"made:  {counted}, {figures} figures, {values} values")
    print(f"where: {shown(where)}")
    print(f"open:  {shown(where / 'index.html')}", flush=True)
    for outcome in made:
        for name, says in outcome.failures.items():
            print(f"evidence: {outcome.name} {name}: {says}".replace(":  ", ": "), file=sys.stderr)
            if kept := outcome.failed_notebooks.get(name):
                print(f"the executed notebook with its traceback: {shown(kept)}", file=sys.stderr)
    if failures:
        print("an earlier page of what failed stays as it was", file=sys.stderr)
    return 1 if failures else 0


def _new(options) -> int:
    from evidence.build.new_project import create_project

    made = create_project(options.folder, notebooks=options.notebooks)
    print(f"made:  {made}, a working project; its two studies are invented")
    print(f"next:  evidence report --project {shlex.quote(str(made))}")
    return 0


def _write(path: str, text: str) -> None:
    from pathlib import Path

    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvidenceError(f"--out {path}: cannot be written: {error.strerror}") from None


def _changes(options) -> int:
    from evidence.compare.document import FORMATS
    from evidence.compare.git_versions import compare_versions

    diff = compare_versions(options.old, options.new, options.project)
    text = FORMATS[options.format](diff)
    if options.out:
        _write(options.out, text)
        print(f"written: {options.out}" + (", no change" if diff.is_empty else ""))
    else:
        print(text, end="")
    return 0


COMMANDS = {
    "report": _report,
    "check": _check,
    "why": _why,
    "cite": _cite,
    "export": _export,
    "audit": _audit,
    "new": _new,
    "pool": _pool,
    "changes": _changes,
    "identify": _identify,
}
