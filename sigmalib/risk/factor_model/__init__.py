"""The factor model behind ``risk.factors``: funds, regressions, exposures, variance and P&L by factor."""
