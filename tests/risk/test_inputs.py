"""The front door: whatever the caller has becomes arrays of one length, and answers look like it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from sigmalib.core.errors import InputError
from sigmalib.risk.pricing.inputs import signs, terms

RIGHTS = [
    ["call", "put"],
    np.array(["call", "put"]),
    np.array(["call", "put"], dtype=object),
    np.array(["call", "put"], dtype="<U9"),
    pd.Series(["call", "put"]),
    pd.Series(["call", "put"], dtype="string"),
    pd.Series(["call", "put"], dtype="category"),
    pd.Series(["call", "put"], dtype=object),
    [1, -1],
    [1.0, -1.0],
    np.array([1, -1], dtype=np.int8),
    pd.Series([1, -1]),
    [True, False],
    pd.Series([True, False]),
]


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: f"{type(right).__name__} {getattr(right, 'dtype', '')}")
def test_a_right_may_be_a_name_a_sign_or_a_truth(right):
    assert signs(right).tolist() == [1, -1]
    assert terms(("strike",), (np.array([1.0, 2.0]),), right).sign.tolist() == [1, -1]


UNKNOWN = [
    [None, "put"],
    [np.nan, -1.0],
    [None, False],
    [None, -1],
    [pd.NA, "put"],
    np.ma.array(["x", "put"], mask=[True, False]),
    np.ma.array([5, -1], mask=[True, False]),
    pd.Series(["x", "put"]).where([False, True]),
    pd.Series([None, "put"], dtype=object),
    pd.Series([None, "put"], dtype="string"),
    pd.Series([None, "put"], dtype="category"),
    pd.Series([None, False], dtype="boolean"),
    pd.Series([None, False], dtype=object),
    pd.Series([None, -1], dtype="Int64"),
    pd.Series([None, -1], dtype="Float64"),
    pd.array([None, False], dtype="boolean"),
    pd.Index([None, "put"]),
]


@pytest.mark.parametrize("right", UNKNOWN, ids=lambda right: f"{type(right).__name__} {getattr(right, 'dtype', '')}")
def test_an_unknown_right_is_not_refused(right):
    assert signs(right).tolist() == [0, -1]


@pytest.mark.parametrize(
    "right",
    [
        "c",
        ["call", "C"],
        0,
        2,
        [1, 0],
        [0.5, 1.0],
        "",
        b"call",
        ["callx"],
        np.int8([3]),
        [None, 0],
        [None, "c"],
        [object()],
    ],
)
def test_a_wrong_right_is_refused(right):
    with pytest.raises(InputError, match="`right` must be 'call' or 'put', was"):
        signs(right)


@pytest.mark.parametrize("right", ["put", np.int8([-1, -1, -1]), [-1, -1, -1]])
@pytest.mark.parametrize(
    "value", [2, 2.0, np.float64(2), np.array(2.0), [2, 2, 2], np.array([2]), np.float32([2, 2, 2])]
)
def test_one_length_comes_out_of_all_kinds(value, right):
    found = terms(("spot", "strike"), (value, np.array([1.0, 2.0, 3.0])), right)
    assert [array.tolist() for array in found.arrays] == [[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]]
    assert all(array.flags.carray and array.dtype == float for array in found.arrays)
    assert (found.shape, found.sign.tolist()) == ((3,), [-1, -1, -1])


def test_the_memory_of_a_series_is_read_where_it_is_and_stays_as_it_was():
    series = pd.Series([1.0, 2.0, 3.0])
    found = terms(("spot", "strike"), (series, 1.0), "call")
    assert np.shares_memory(found.arrays[0], series.to_numpy())
    assert not series.to_numpy().flags.writeable
    assert found.like(found.arrays[0] * 2).to_list() == [2.0, 4.0, 6.0]


def test_strided_reversed_and_unknown_numbers_are_understood():
    table = np.arange(6.0).reshape(3, 2)
    found = terms(("a", "b", "c"), (table[:, 1], table[::-1, 0], pd.Series([1, None, 3], dtype="Int64")), "call")
    assert np.array_equal(found.arrays, [[1, 3, 5], [4, 2, 0], [1, np.nan, 3]], equal_nan=True)


@pytest.mark.parametrize("value", ["a", 1j, [[1], [2, 3]], 10**400, {}, [object()]])
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(InputError, match="`strike` must be numbers"):
        terms(("spot", "strike"), (1.0, value), "call")


MOMENTS = [
    np.timedelta64(30, "D"),
    np.array([30], dtype="m8[D]"),
    [np.timedelta64(30, "D")],
    np.array([np.timedelta64(30, "D"), None], dtype=object),
    timedelta(days=30),
    pd.Timedelta("30D"),
    [pd.Timedelta("30D")],
    pd.Series(pd.to_timedelta([30], unit="D")),
    pd.to_timedelta([30], unit="D"),
    np.datetime64("2026-01-02"),
    pd.Timestamp("2026-01-02"),
    pd.Series(pd.to_datetime(["2026-01-02"], utc=True)),
    pd.Series(pd.to_datetime(["2026-01-02"])),
]


@pytest.mark.parametrize("value", MOMENTS, ids=lambda value: type(value).__name__)
def test_durations_and_dates_are_refused_with_what_to_pass(value):
    with pytest.raises(InputError, match=r"`expiry_years` must be numbers, was (.|\n)*times as a number of years"):
        terms(("spot", "expiry_years"), (1.0, value), "call")


@pytest.mark.parametrize("mask", [[False, True, False], True])
@pytest.mark.parametrize("kind", [float, int, np.float32])
def test_what_is_masked_is_unknown(kind, mask):
    value = np.ma.array([1, 2, 3], mask=mask, dtype=kind)
    expected = np.where(mask, np.nan, [1.0, 2.0, 3.0])
    assert np.array_equal(terms(("spot",), (value,), "call").arrays[0], expected, equal_nan=True)
    assert np.isnan(terms(("spot",), (np.ma.masked,), "call").arrays[0]).all()


def test_missing_numbers_of_pandas_own_arrays_are_unknown():
    for value in (pd.array([1, None], dtype="Int64"), pd.Index([1, None], dtype="Float64")):
        assert np.array_equal(terms(("spot",), (value,), "call").arrays[0], [1.0, np.nan], equal_nan=True)


def test_shapes_and_indexes_that_do_not_go_together_are_refused():
    with pytest.raises(InputError, match="one shape or be single numbers, were spot"):
        terms(("spot", "strike"), (np.ones(2), np.ones(3)), "call")
    one, other = pd.Series([1.0, 2.0]), pd.Series([1.0, 2.0], index=[1, 2])
    with pytest.raises(InputError, match="`spot` and `strike` are Series with different indexes"):
        terms(("spot", "strike"), (one, other), "call")
    with pytest.raises(InputError, match="2 rows, but all terms together have shape"):
        terms(("spot", "strike"), (one, np.ones((3, 2))), "call")
