from .analysis.certainty.evidence_body import evidence_bodies
from .analysis.certainty.grade import certainty_summary, grade_certainty
from .analysis.certainty.risk_of_bias import appraisal_summary, appraisals
from .analysis.checks import check_consistency
from .analysis.checks.against_printed_text import grim_power
from .analysis.claims.claim_audit import claim_verdicts, claims_summary, disagreements
from .analysis.claims.contradictions import contradictions
from .analysis.defaults import default_outcomes, outcome_definitions
from .analysis.follow_up import longest_follow_up
from .analysis.gaps.coverage import find_coverage, known_studies
from .analysis.gaps.evidence_map import coverage_by_question
from .analysis.gaps.primary_outcomes import primary_outcomes_sentence
from .analysis.gaps.reading_list import reading_list
from .analysis.gaps.unknowns import find_unknowns
from .analysis.narrative.coverage import coverage_summary
from .analysis.narrative.dose_response import describe_dose_model
from .analysis.narrative.methods_text import describe_methods
from .analysis.narrative.pooled_results import describe_pool, why_not_pooled
from .analysis.narrative.reading_list import reading_list_summary, top_sources
from .analysis.narrative.study_findings import (
    results_by_comparator,
    study_findings,
    treatment_guesses,
)
from .analysis.narrative.time_course import describe_time_model
from .analysis.narrative.unknowns import follow_up_attrition, top_unknowns, unknowns_summary
from .analysis.pooling.dose_response import fit_dose_model
from .analysis.pooling.pooled_estimate import pool_studies
from .analysis.pooling.question import Question, main_question
from .analysis.pooling.specification_curve import specification_curve
from .analysis.pooling.time_course import fit_time_model
from .analysis.results import select_results
from .errors import EvidenceError
from .figures.arm_comparison import lay_out_arm_comparison, lay_out_arm_comparisons
from .figures.claim_verdicts import lay_out_claim_verdicts
from .figures.dose_effect_all_trials import lay_out_dose_effect_all_trials
from .figures.dose_effect_one_trial import lay_out_dose_effect_one_trial
from .figures.dose_response_curve import lay_out_dose_response_curve
from .figures.evidence_map import lay_out_evidence_map
from .figures.follow_up_timeline import lay_out_follow_up
from .figures.forest_plot import lay_out_cumulative, lay_out_explorer_forest, lay_out_forest
from .figures.layout import draw
from .figures.proportions_by_arm import lay_out_proportions_by_arm
from .figures.risk_of_bias import lay_out_risk_of_bias, lay_out_risk_of_bias_summary
from .figures.specification_curve import lay_out_specification_curve
from .figures.study_flow import lay_out_study_flow
from .figures.time_course import lay_out_time_course
from .queries import EXAMPLE, load_dataset
from .report.explorer_widget import explore
from .report.report import open_report
from .tables.certainty import (
    tabulate_certainty,
    tabulate_minimal_important_differences,
    tabulate_risk_of_bias,
    tabulate_summary_of_findings,
)
from .tables.checks import tabulate_check_findings
from .tables.claims import tabulate_claims, tabulate_guide
from .tables.gaps import tabulate_evidence_map, tabulate_unknowns
from .tables.reading_list import tabulate_reading_list
from .tables.studies import tabulate_results, tabulate_studies

__all__ = [
    "EXAMPLE",
    "EvidenceError",
    "Question",
    "appraisal_summary",
    "appraisals",
    "certainty_summary",
    "check_consistency",
    "claim_verdicts",
    "claims_summary",
    "contradictions",
    "coverage_by_question",
    "coverage_summary",
    "default_outcomes",
    "describe_dose_model",
    "describe_methods",
    "describe_pool",
    "describe_time_model",
    "disagreements",
    "draw",
    "evidence_bodies",
    "explore",
    "find_coverage",
    "find_unknowns",
    "fit_dose_model",
    "fit_time_model",
    "follow_up_attrition",
    "grade_certainty",
    "grim_power",
    "known_studies",
    "lay_out_arm_comparison",
    "lay_out_arm_comparisons",
    "lay_out_claim_verdicts",
    "lay_out_cumulative",
    "lay_out_dose_effect_all_trials",
    "lay_out_dose_effect_one_trial",
    "lay_out_dose_response_curve",
    "lay_out_evidence_map",
    "lay_out_explorer_forest",
    "lay_out_follow_up",
    "lay_out_forest",
    "lay_out_proportions_by_arm",
    "lay_out_risk_of_bias",
    "lay_out_risk_of_bias_summary",
    "lay_out_specification_curve",
    "lay_out_study_flow",
    "lay_out_time_course",
    "load_dataset",
    "longest_follow_up",
    "main_question",
    "open_report",
    "outcome_definitions",
    "pool_studies",
    "primary_outcomes_sentence",
    "reading_list",
    "reading_list_summary",
    "results_by_comparator",
    "select_results",
    "specification_curve",
    "study_findings",
    "tabulate_certainty",
    "tabulate_check_findings",
    "tabulate_claims",
    "tabulate_evidence_map",
    "tabulate_guide",
    "tabulate_minimal_important_differences",
    "tabulate_reading_list",
    "tabulate_results",
    "tabulate_risk_of_bias",
    "tabulate_studies",
    "tabulate_summary_of_findings",
    "tabulate_unknowns",
    "top_sources",
    "top_unknowns",
    "treatment_guesses",
    "unknowns_summary",
    "why_not_pooled",
]
