"""Study effects as a table of metafor's wide form, one row per study."""

import pandas as pd

from evidence.exchange.wide_table import METAFOR

COUNTS, MEANS = METAFOR["ai, n1i, ci, n2i"], METAFOR["m1i, sd1i, n1i, m2i, sd2i, n2i"]


def metafor_table(studies: pd.DataFrame) -> str:
    """Return study effects as CSV for `escalc` and `rma`.

    The columns are `study`, `slab`, `year`; `ai, n1i, ci, n2i` of counts or `m1i, sd1i, n1i, m2i,
    sd2i, n2i` of means, blank where a study gives only an effect; `yi` and `vi` on the scale of
    pooling.
    """
    names = {"study": "study", "label": "slab", "year": "year"}
    for first, columns in (("events1", COUNTS), ("mean1", MEANS)):
        if studies[first].notna().any():
            names |= columns
    table = studies[[*names, "yi", "vi"]].rename(columns=names)
    return table.to_csv(index=False, lineterminator="\n")
