"""The volatility surface: an option chain, its forwards, its smiles, and what lies between them."""
