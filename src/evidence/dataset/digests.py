"""Values as plain JSON to the last digit, so that two are the same only if all of them is."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import numpy as np
import pandas as pd


def exact(value):
    """A value all the way down; data classes as the lists of their fields.

    Raises
    ------
    TypeError
        Something in it says too little of itself to be told from another.
    """
    if isinstance(value, pd.DataFrame):
        return [[*map(str, value.columns)], *map(exact, value.itertuples(index=False, name=None))]
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *(exact(getattr(value, one.name)) for one in fields(value))]
    if isinstance(value, Mapping):
        return {str(key): exact(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [exact(one) for one in value]
    if isinstance(value, np.ndarray):
        return exact(value.tolist())
    if value is None or value is pd.NA or isinstance(value, str | int | float | np.generic):
        return repr(value)
    raise TypeError(f"{type(value).__name__} is nothing that can be told to the last digit")


def digest(content) -> str:
    """The digest of something that says all of itself, such as what `exact` gives."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]
