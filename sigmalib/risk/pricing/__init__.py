"""The value of one contract: American exercise, the choice of model, and the front door of option formulas."""
