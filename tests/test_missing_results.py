"""Why a number is missing, in words and in the charts: not read is not the same as not reported."""

import matplotlib.pyplot as plt
import pytest

from evidence.analysis.missing_results import summarise_missing, why_missing
from evidence.analysis.pooling.question import Question
from evidence.analysis.results import select_results
from evidence.figures.arm_comparison import lay_out_arm_comparison
from evidence.figures.dose_effect_all_trials import lay_out_dose_effect_all_trials
from evidence.figures.dose_effect_one_trial import lay_out_dose_effect_one_trial
from evidence.figures.follow_up_timeline import lay_out_follow_up
from evidence.figures.layout import draw
from tests.example_trials import add_reading


def read(project, source="baker1990", kind="abstract", **cells):
    """Record a reading, and those in which the other rows of the yeast trials lie."""
    if not project.path("data/readings.csv").exists():
        for other in ("baker1990", "miller2001"):
            for part in ("p. 5", "Table 1", "abstract"):
                add_reading(project, other, part, "abstract")
        add_reading(project, "guide", "p. 1", "excerpt")
    add_reading(project, source, f"the {kind}", kind, **cells)


@pytest.fixture
def doses(yeast_trials):
    """Of Baker's two doses one has a size and the other a direction."""
    for dose, measure, cells in (
        ("0.5", "smd", {"value": "-0.4", "as_printed": "-0.4"}),
        ("1", "significance", {"direction": "better", "as_printed": "better"}),
    ):
        yeast_trials.row(
            study="baker1990", condition="bread", arm=f"yeast {dose} mg/kg", role="contrast",
            versus="none", dose=dose, dose_unit="mg/kg", outcome="height", time="1", time_unit="day",
            measure=measure, reported_by="publication", source="baker1990", locator="abstract",
            verified="yes", **cells,
        )  # fmt: skip
    return yeast_trials


def why(project):
    return why_missing(project.dataset().readings, "baker1990", "height")


def test_why_a_number_is_missing(yeast_trials):
    assert why(yeast_trials) == "not tabulated"
    read(yeast_trials, kind="table")
    assert why(yeast_trials) == "not read (abstract and table only)"
    assert why_missing(yeast_trials.dataset().readings, "berg2020", "height") == "not read"
    read(yeast_trials, kind="figure", not_reported="height")
    assert why(yeast_trials) == "not reported"


def test_reading_the_full_text_shows_what_is_not_reported(yeast_trials):
    read(yeast_trials, kind="full text")
    assert why(yeast_trials) == "not reported"


def test_reasons_are_summarised_without_what_was_read():
    reasons = ["not read (abstract only)", "not reported", "not read (table only)"]
    assert summarise_missing(reasons) == "not read or not reported"
    assert summarise_missing(["not tabulated"]) == summarise_missing([]) == ""


def texts(layout):
    figure = draw(layout)
    drawn = [text.get_text() for axes in figure.axes for text in axes.texts]
    plt.close(figure)
    return drawn


def test_each_dose_says_whether_its_size_was_not_read_or_is_not_reported(doses):
    def layout():
        dataset = doses.dataset()
        return lay_out_dose_effect_one_trial(dataset, select_results(dataset))

    assert "size not tabulated" in texts(layout())
    assert "so no position is drawn." in str(layout().caption)
    read(doses)
    assert "size not read (abstract only)" in texts(layout())
    assert layout().reading[1].endswith("better, size not read (abstract only).")
    assert "the size was not read (abstract only)." in str(layout().caption)
    read(doses, kind="table", not_reported="height")
    assert "size not reported" in texts(layout())


def test_doses_over_all_trials_mark_what_is_not_reported(doses):
    def layout():
        dataset = doses.dataset()
        question = Question("height", "smd", treatments=("yeast",))
        return lay_out_dose_effect_all_trials(
            dataset, select_results(dataset), question, confidence=0.95
        )

    doses.row(
        study="miller2001", condition="bread", arm="yeast", role="contrast", versus="none",
        dose="2", dose_unit="mg/kg", outcome="height", time="1", time_unit="day", measure="direction",
        direction="worse", as_printed="worse", reported_by="publication", source="miller2001",
        locator="abstract", verified="yes",
    )  # fmt: skip
    read(doses)
    read(doses, source="miller2001", kind="table", not_reported="height")
    assert "the size was not read or not reported." in str(layout().caption).replace(
        "not reported or not read", "not read or not reported"
    )
    assert layout().reading[-1].endswith("worse, size not reported.")
    assert "▼ worse, size not reported" in texts(layout())


def test_arm_comparison_names_studies_without_counts(yeast_trials):
    def caption():
        dataset = yeast_trials.dataset()
        return str(
            lay_out_arm_comparison(dataset, select_results(dataset), outcome="risen").caption
        )

    assert "Without counts" not in caption()
    for line, row in enumerate(yeast_trials.rows("data/studies.csv"), start=1):
        if "5/20" in row and "miller2001" in row:
            yeast_trials.put(
                "data/studies.csv", line, n="", events="", value="0.25", as_printed="25%"
            )
    assert caption().endswith("Without counts of both arms in the tables: Miller.")
    read(yeast_trials)
    assert caption().endswith("Without counts of both arms in the tables: Miller (not read).")


def test_follow_up_says_why_there_are_no_later_results(yeast_trials):
    def sentences():
        dataset = yeast_trials.dataset()
        reading = lay_out_follow_up(dataset, select_results(dataset)).reading
        return [sentence for sentence in reading if "last result" in sentence]

    untabulated = "; how long the study followed its participants is not tabulated."
    assert sentences()[0] == f"Baker: last result in the tables at 1 day{untabulated}"
    yeast_trials.put("data/designs.csv", 2, followup="1", followup_unit="week")
    yeast_trials.put("data/designs.csv", 3, followup="2", followup_unit="month")
    read(yeast_trials)
    assert sentences() == [
        "Baker: last result in the tables at 1 day; the study followed to 7 days, later results not "
        "read (abstract only).",
        "Miller: last result in the tables at 60.9 days, the last assessment that is described.",
    ]
    read(yeast_trials, kind="table", not_reported="risen")
    assert sentences()[0].endswith("to 7 days, later results not reported.")
