"""Which words and shapes do we share?"""

__version__ = "0.1.0"
