"""Moves of the market: how they are said, what they do to each name, and the book revalued under them."""
