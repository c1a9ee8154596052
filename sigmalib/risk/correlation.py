"""Correlation between the names a book depends on."""

from __future__ import annotations

import numpy as np
import pandas as pd

MINIMUM_OVERLAP = 60


def pairwise(returns: pd.DataFrame) -> pd.DataFrame:
    """Pearson correlations of simple returns (symbol x symbol), on the sessions each pair shares.

    NaN with fewer than 60 shared sessions, or where a series never moves.
    """
    return returns.corr(min_periods=MINIMUM_OVERLAP)


def average(matrix: pd.DataFrame) -> float:
    """Mean of the known correlations between different names; NaN when there is none.

    >>> average(pd.DataFrame([[1.0, 0.4], [0.4, 1.0]]))
    0.4
    """
    between = matrix.to_numpy()[~np.eye(len(matrix), dtype=bool)]
    known = between[~np.isnan(between)]
    return float(known.mean()) if len(known) else float("nan")
