"""The day's work: gather, compute, keep. The only room, beside the command line, with a clock and an environment."""
