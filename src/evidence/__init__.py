"""Evidence-tracking research notebooks: what was reported, compared, and what nobody knows yet.

Importing this package does nothing else; the names below are fetched when first used.
"""

from importlib import import_module

_HOME = {
    "EvidenceError": ("evidence.errors", "EvidenceError"),
    "Question": ("evidence.synthesis.questions", "Question"),
    "appraisals": ("evidence.synthesis.appraisals", "appraisals"),
    "appraised": ("evidence.synthesis.appraisals", "appraised"),
    "audit": ("evidence.synthesis.claims", "audit"),
    "bodies": ("evidence.synthesis.bodies", "bodies"),
    "by_comparison": ("evidence.synthesis.reviews", "by_comparison"),
    "check_consistency": ("evidence.synthesis.checks", "check_consistency"),
    "claims_summary": ("evidence.synthesis.claims", "summaries"),
    "contradictions": ("evidence.synthesis.contradictions", "contradictions"),
    "describe_pool": ("evidence.synthesis.pooled", "describe"),
    "draw": ("evidence.figures.layout", "draw"),
    "explore": ("evidence.publishing.explorer", "explore"),
    "findings": ("evidence.synthesis.answers", "findings"),
    "grim_power": ("evidence.synthesis.checks.printed", "grim_power"),
    "guesses": ("evidence.synthesis.reviews", "guesses"),
    "lay_out_claims": ("evidence.figures.claims", "lay_out_claims"),
    "lay_out_comparison": ("evidence.figures.comparison", "lay_out_comparison"),
    "lay_out_comparisons": ("evidence.figures.comparison", "lay_out_comparisons"),
    "lay_out_cumulative": ("evidence.figures.forest", "lay_out_cumulative"),
    "lay_out_dose_response": ("evidence.figures.dose_response", "lay_out_dose_response"),
    "lay_out_doses": ("evidence.figures.doses", "lay_out_doses"),
    "lay_out_durability": ("evidence.figures.durability", "lay_out_durability"),
    "lay_out_forest": ("evidence.figures.forest", "lay_out_forest"),
    "lay_out_gap_map": ("evidence.figures.gap_map", "lay_out_gap_map"),
    "lay_out_shares": ("evidence.figures.shares", "lay_out_shares"),
    "lay_out_risk_summary": ("evidence.figures.appraisal", "lay_out_risk_summary"),
    "lay_out_specifications": ("evidence.figures.specifications", "lay_out_specifications"),
    "lay_out_traffic": ("evidence.figures.appraisal", "lay_out_traffic"),
    "lay_out_view": ("evidence.figures.forest", "lay_out_view"),
    "main_outcomes": ("evidence.synthesis.usual", "main_outcomes"),
    "main_question": ("evidence.synthesis.questions", "main_question"),
    "meanings": ("evidence.synthesis.usual", "meanings"),
    "not_pooled": ("evidence.synthesis.pooled", "not_pooled"),
    "open_report": ("evidence.publishing.report", "open_report"),
    "overruled": ("evidence.synthesis.claims", "overruled"),
    "parting": ("evidence.synthesis.claims", "parting"),
    "pool_studies": ("evidence.synthesis.pooled", "pool_studies"),
    "rate_certainty": ("evidence.synthesis.grade", "rate"),
    "read_corpus": ("evidence.corpus.reading", "read_corpus"),
    "select_results": ("evidence.synthesis.selection", "select_results"),
    "silence": ("evidence.synthesis.durability", "silence"),
    "specify": ("evidence.synthesis.specifications", "specify"),
    "tabulate_appraisals": ("evidence.tables.appraisals", "tabulate_appraisals"),
    "tabulate_cells": ("evidence.tables.unknowns", "tabulate_cells"),
    "tabulate_certainty": ("evidence.tables.appraisals", "tabulate_certainty"),
    "tabulate_claims": ("evidence.tables.claims", "tabulate_claims"),
    "tabulate_findings": ("evidence.tables.findings", "tabulate_findings"),
    "tabulate_findings_summary": ("evidence.tables.appraisals", "tabulate_findings_summary"),
    "tabulate_guide": ("evidence.tables.claims", "tabulate_guide"),
    "tabulate_results": ("evidence.tables.studies", "tabulate_results"),
    "tabulate_studies": ("evidence.tables.studies", "tabulate_studies"),
    "tabulate_thresholds": ("evidence.tables.appraisals", "tabulate_thresholds"),
    "tabulate_unknowns": ("evidence.tables.unknowns", "tabulate_unknowns"),
    "unknowns": ("evidence.synthesis.register", "unknowns"),
    "unknowns_first": ("evidence.synthesis.registered", "first"),
    "unknowns_followed": ("evidence.synthesis.registered", "followed"),
    "unknowns_summary": ("evidence.synthesis.registered", "summary"),
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'evidence' has no attribute '{name}'")
    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)


def __dir__():
    return __all__
