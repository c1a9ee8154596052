"""Sigma: a Jupyter-first portfolio-risk and research lab.

The analyst's vocabulary is here, each name imported when it is first used, so that ``import sigmalib`` costs next to
nothing. In a notebook: ``%load_ext sigmalib``, then ``import sigmalib as sg`` and ``sg.open_book("balanced")``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sigmalib.core import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_HOME_OF = {
    "SigmaError": "core.errors",
    "MarketView": "core.market",
    "parse_option": "core.instruments",
    "open_world": "desk.world",
    "open_book": "desk.book",
    "import_book": "desk.book",
    "assess_file": "desk.book",
    "books": "desk.book",
    "snapshot": "desk.nightly",
    "run_report": "desk.publish",
    "check_data": "desk.dataquality",
    "data_status": "desk.marketdata",
    "sources": "desk.marketdata",
    "fetches": "desk.marketdata",
    "fetch_data": "desk.marketdata",
    "closes": "desk.marketdata",
    "bars": "desk.marketdata",
    "data_held": "desk.pages",
    "prices_around": "desk.pages",
    "hindsight": "desk.hindsight",
    "read_scenarios": "desk.scenarios",
    "stress_book": "desk.scenarios",
    "factor_returns": "desk.marketdata",
    "short_interest": "desk.marketdata",
    "assess": "risk.report",
    "compare": "risk.report",
    "value_at_risk": "risk.tail",
    "expected_shortfall": "risk.tail",
    "kupiec_test": "risk.tail",
    "christoffersen_test": "risk.tail",
    "basel_traffic_light": "risk.tail",
    "component_var": "risk.tail",
    "factor_betas": "risk.factors",
    "rolling_betas": "risk.factors",
    "factor_attribution": "risk.factors",
    "Scenario": "risk.stress",
    "parse_scenarios": "risk.stress",
    "standard_scenarios": "risk.stress",
    "stress": "risk.stress",
    "grid": "risk.stress",
    "reverse_stress": "risk.stress",
    "revalue": "risk.stress",
    "bsm_price": "risk.options",
    "bsm_greeks": "risk.options",
    "black76_price": "risk.options",
    "implied_volatility": "risk.options",
    "american_price": "risk.options",
    "american_greeks": "risk.options",
    "chain_of": "risk.marks",
    "surface_of": "risk.marks",
    "implied_chain": "risk.surface",
    "fit_surface": "risk.surface",
    "charts": "views",
    "tables": "views",
    "datatables": "views",
    "riskcharts": "views",
    "riskfindings": "views",
    "risktables": "views",
    "risksentences": "views",
    "surfacecharts": "views",
    "performance": "portfolio",
}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    """The object behind a public name, imported on first use (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'sigmalib' has no attribute {name!r}; it has {', '.join(sorted(_HOME_OF))}")
    home = import_module(f"sigmalib.{_HOME_OF[name]}")
    return getattr(home, name) if hasattr(home, name) else import_module(f"{home.__name__}.{name}")


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """What ``%load_ext sigmalib`` does: plots that work offline, and risk reports that show themselves."""
    import os

    in_report = os.environ.get("SIGMALIB_REPORT") == "1"  # set by ``sigma report run``
    import_module("sigmalib.views.extension").load(ipython, in_report=in_report)
