"""The tail measures behind ``risk.tail``: methods, their errors, parts that sum, and tests against what happened."""
