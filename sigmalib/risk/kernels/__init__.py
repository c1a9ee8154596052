"""Compiled loops of the risk room; each module is imported when one of its loops is first called."""
