"""Commands that pool studies or write the studies of a question."""

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence.cli.app import (
    NumberRange,
    choice_option,
    command,
    echo,
    format_option,
    out_option,
    print_data,
    print_or_write,
    print_parts,
    project_option,
    words_option,
)
from evidence.cli.words import (
    MEASURES,
    METHODS,
    METHODS_FORMATS,
    MODERATORS,
    PRIORS,
    REFERENCE_STYLES,
    SHAPES,
    SUBGROUPS,
    TESTS,
)
from evidence.errors import EvidenceError, ParameterError, Reason
from evidence.files import format_json

if TYPE_CHECKING:
    from evidence.analysis.pooling.question import Question
    from evidence.dataset.dataset import Dataset


def question_options(function: Callable) -> Callable:
    """Add the options that say which studies belong together."""
    options = (
        click.option(
            "--measure", required=True, type=click.Choice(MEASURES), help="Effect measure."
        ),
        click.option(
            "--confidence",
            type=NumberRange(0, 1, min_open=True, max_open=True),
            default=0.95,
            show_default=True,
            help="Coverage of the intervals.",
        ),
        click.option(
            "--time-days",
            type=NumberRange(0, min_open=True),
            help="Time after treatment in days; each study's nearest result is used (default: that of the "
            "outcome in data/outcomes.csv, else the time that most studies report).",
        ),
        click.option(
            "--max-time-ratio",
            type=NumberRange(1),
            default=3.0,
            show_default=True,
            help="Use results up to this many times earlier or later.",
        ),
        words_option("condition", help="Only this condition; repeatable."),
        words_option(
            "treatment",
            help="Only this treatment, by its word in data/designs.csv or the name of an arm; repeatable.",
        ),
        words_option(
            "comparator",
            help="Only this comparator, by its kind or the name of an arm; repeatable.",
        ),
        click.option(
            "--allow-nonrandomised",
            is_flag=True,
            help="Pool randomised and non-randomised studies together.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command(
    "pool",
    "evidence pool --outcome risen --measure rr --treatment yeast --comparator none",
    "evidence pool --outcome risen --measure rr --time-days 28 --verbose",
    "evidence pool --outcome risen --measure rr --by comparator --moderator dose",
    "evidence pool --outcome risen --measure or --method mh --format json",
    "evidence pool --outcome risen --outcome browned --measure smd --method threelevel",
)
@click.option(
    "--outcome",
    required=True,
    multiple=True,
    metavar="WORD",
    help="An outcome in data/outcomes.csv; repeatable with threelevel.",
)
@question_options
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help="REML, DerSimonian-Laird (dl), Paule-Mandel (pm), common effect (common; EE in metafor), "
    "Mantel-Haenszel (mh), Peto, binomial-normal (glmm), all effects of each study as correlated "
    "(threelevel) or Bayesian with a prior for tau (bayes). [default: glmm for proportion, else reml]",
)
@choice_option(
    "--test",
    words=TESTS,
    default="knha-adhoc",
    help="Confidence interval: Knapp-Hartung never narrower than Wald (knha-adhoc; adhoc in "
    "metafor), plain Knapp-Hartung (knha) or Wald (z); with glmm t or Wald.",
)
@click.option(
    "--rho",
    type=NumberRange(0, 1, max_open=True),
    default=0.6,
    show_default=True,
    help="With threelevel: assumed correlation between the effects of one study.",
)
@choice_option(
    "--prior",
    words=PRIORS,
    default="half-normal",
    help="With bayes: prior for the between-study standard deviation tau.",
)
@click.option(
    "--prior-scale",
    type=NumberRange(0),
    default=0.0,
    help="With bayes: scale of the prior; 0 takes 0.5 (1 for proportions).",
)
@click.option("--by", "subgroup_by", type=click.Choice(SUBGROUPS), help="Add a subgroup analysis.")
@click.option("--moderator", type=click.Choice(MODERATORS), help="Add a meta-regression.")
@click.option(
    "--include-double-zero",
    is_flag=True,
    help="Also pool studies without events in either group in a ratio (drop00=FALSE in metafor).",
)
@click.option("--verbose", is_flag=True, help="Also print the pooled numbers at full precision.")
@format_option
@project_option
def pool(output_format: str, verbose: bool, project: str, **question: Any) -> int:
    """Run a meta-analysis of one outcome, or say why the studies should not be pooled.

    The command prints the pooled effect, heterogeneity, the studies with their numbers and weights,
    studies left out with the reason, and sensitivity analyses. JSON has all numbers at full
    precision. The exit code is 1 if the studies should not be pooled.
    """
    from evidence.analysis.pooling.pooled_estimate import PoolingError, meta_analyse
    from evidence.analysis.results import select_results
    from evidence.dataset.dataset import read_dataset
    from evidence.tables.pooled_text import format_pool

    dataset = read_dataset(project)
    results = select_results(dataset)
    given = {name: value for name, value in question.items() if value is not None}
    try:
        estimate = meta_analyse(dataset, results, **given)
    except PoolingError as error:
        if output_format == "text":
            raise
        outcome, *further = given["outcome"]
        asked = {"outcome": outcome, "further_outcomes": further, "measure": given["measure"]}
        for name in ("reasons", "left_out"):
            asked[name] = [Reason.of(text).in_options() for text in getattr(error, name)]
        print_data(format_json(asked))
        return 1
    if output_format == "json":
        print_data(format_json(estimate.as_data()))
    else:
        print_parts(format_pool(estimate, results, verbose=verbose))
    return 0


@command(
    "dose-response",
    "evidence dose-response --outcome risen --measure or --treatment yeast",
    "evidence dose-response --outcome risen --measure or --shape quadratic --dose 1 --dose 2",
    "evidence dose-response --outcome risen --measure or --stages 2 --format json",
)
@click.option("--outcome", required=True, metavar="WORD", help="An outcome in data/outcomes.csv.")
@question_options
@choice_option("--shape", words=SHAPES, default="linear", help="Of the curve.")
@click.option(
    "--stages",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="One stage uses every trial; two use those with as many doses as the curve has coefficients.",
)
@click.option(
    "--dose",
    "doses",
    type=NumberRange(0),
    multiple=True,
    help="Print the effect of this dose, in the unit of most trials; repeatable (default: all given).",
)
@click.option(
    "--route",
    default="",
    metavar="WORD",
    help="Route of administration (default: that of most trials; any: all routes).",
)
@format_option
@project_option
def dose_response(
    output_format: str, project: str, doses: tuple[float, ...], **options: Any
) -> int:
    """Fit one curve to the doses of all trials, or say why there is none.

    Comparators without the treatment are dose 0. The command prints the effect of each dose with its
    confidence interval, and what the curve rests on. JSON has all numbers at full precision. The exit
    code is 1 if there is no curve.
    """
    from evidence.analysis.narrative.dose_response import describe_dose_model
    from evidence.analysis.pooling.dose_response import fit_dose_model
    from evidence.analysis.pooling.pooled_estimate import PoolingError

    curve = {name: options.pop(name) for name in ("shape", "stages", "route", "confidence")}
    dataset, results, question = _read_question(project, options)
    model = fit_dose_model(dataset, results, question, **curve)
    if output_format == "json":
        print_data(format_json(model.as_data(doses)))
    elif model.curve is None:
        raise PoolingError([*model.left_out, *model.reasons])
    else:
        levels = doses or sorted(model.arms["dose"].unique())
        echo("\n".join(map(str, describe_dose_model(model, levels))))
    return 0 if model.curve else 1


def _read_question(project: str, options: dict[str, Any]) -> "tuple[Dataset, Any, Question]":
    """Read a project, and return it with its results and the question of some options."""
    from evidence.analysis.pooling.question import Question, main_question
    from evidence.analysis.results import select_results
    from evidence.dataset.dataset import read_dataset

    dataset = read_dataset(project)
    results = select_results(dataset)
    question = Question(**options | {"time_days": options["time_days"] or 0.0})
    return dataset, results, main_question(dataset, results, question, fields=())


@command(
    "methods",
    "evidence methods --outcome risen --measure rr --treatment yeast --comparator none",
    "evidence methods --outcome risen --measure or --dose-response linear --style apa",
    "evidence methods --outcome risen --measure or --method mh --format docx --out methods.docx",
    "evidence methods --outcome risen --measure rr --format latex --out methods.tex",
    "evidence methods",
)
@click.option(
    "--dose-response",
    "shape",
    type=click.Choice(SHAPES),
    help="Also describe the dose–response curve of this shape.",
)
@choice_option(
    "--format", "file_format", words=METHODS_FORMATS, default="markdown", help="File format."
)
@choice_option(
    "--style",
    words=REFERENCE_STYLES,
    default="vancouver",
    help="Style of citations and references; in LaTeX the manuscript's own applies.",
)
@out_option
@project_option
def methods(
    project: str, out: str, style: str, file_format: str, shape: str | None, **question: Any
) -> int:
    """Write the methods section of a manuscript on a pooled question.

    The options of the question are those of 'evidence pool'. The text says what was searched, read,
    checked, computed and pooled, with the works to cite, and only what was done. Without a question
    it describes the whole project. LaTeX comes with a .bib file. The exit code is 1 if the studies
    should not be pooled; the text then says why.
    """
    from evidence.analysis.narrative.methods_text import describe_methods
    from evidence.analysis.pooling.dose_response import fit_dose_model
    from evidence.analysis.pooling.pooled_estimate import (
        PooledEstimate,
        PoolingError,
        Refusal,
        meta_analyse,
    )
    from evidence.analysis.results import select_results
    from evidence.dataset.dataset import read_dataset
    from evidence.provenance.sentence import join_words
    from evidence.report.methods_document import methods_markdown, write_methods

    if file_format != "markdown" and not out:
        suffix = {"docx": "docx", "latex": "tex"}[file_format]
        raise ParameterError(f"--format {file_format} needs a file: --out methods.{suffix}")
    if bool(question["outcome"]) != bool(question["measure"]):
        missing = "--measure" if question["outcome"] else "--outcome"
        raise ParameterError(f"a question also needs {missing}")
    dataset = read_dataset(project)
    results = select_results(dataset)
    answer: PooledEstimate | Refusal | None = None
    if question["outcome"]:
        given = {name: value for name, value in question.items() if value is not None}
        try:
            answer = meta_analyse(dataset, results, **given)
        except PoolingError as error:
            names = (join_words(given["outcome"]), given["measure"])
            answer = Refusal(*names, error.reasons, "", error.left_out, error.question)
    model = None
    if shape and answer and answer.question:
        confidence = question["confidence"]
        model = fit_dose_model(
            dataset, results, answer.question, shape=shape, confidence=confidence
        )
    sentences = describe_methods(dataset, answer, model)
    if out:
        for path in write_methods(sentences, Path(out), file_format, style):
            echo(f"written: {path}")
    else:
        print_data(methods_markdown(sentences, style))
    return 1 if isinstance(answer, Refusal) else 0


# A question has the same options in both commands; of the methods, none is required.
for _option in reversed(pool.params):
    if _option.name in ("verbose", "output_format", "project"):
        continue
    _option = copy(_option)
    _option.required = False
    methods.params.insert(0, _option)


@command(
    "export-data",
    "evidence export-data --outcome risen --measure rr --out risen.csv",
    "evidence export-data --outcome height --measure smd --condition bread",
)
@click.option("--outcome", required=True, metavar="WORD", help="An outcome in data/outcomes.csv.")
@question_options
@choice_option(
    "--format", "file_format", words=("metafor",), default="metafor", help="Form of the table."
)
@out_option
@project_option
def export_data(project: str, file_format: str, out: str, **options: Any) -> int:
    """Write the studies of a question as a table for another program.

    In metafor, 'escalc' takes the counts or means of the table, and 'rma(yi, vi)' its effects.
    'evidence import' reads the table back.
    """
    from evidence.analysis.pooling.question import select_study_effects
    from evidence.exchange.metafor_export import metafor_table
    from evidence.provenance.sentence import count

    del options["confidence"]
    dataset, results, question = _read_question(project, options)
    studies = select_study_effects(dataset, results, question)
    if studies.empty:
        raise EvidenceError(f"no study gives the {question.measure} of {question.outcome}")
    print_or_write(metafor_table(studies), out, f", {count(len(studies), 'study').text}")
    return 0
