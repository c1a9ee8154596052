"""The one family of errors, branching by who can act.

SigmaError
├── InputError              the analyst mends a file, a value or a date      (exit code 2)
│   └── PositionsRejected   ... row by row: the table of refused rows is inside
├── DataUnavailable         the source does not have it: ask for less, or another source
│   ├── AccessDenied        ... or does not let us in: an operator sets or renews the key
│   ├── RateLimited         ... or asks us to wait longer than we do: time heals it
│   ├── SourceDown          ... or gives no answer, or only failures: time heals it
│   └── AnswerUnreadable    ... or answers in no shape we know: we mend the client
├── WorkspaceError          an operator mends the world: folder, database, port
└── ReportFailed            a report run failed; its notebook is kept       (exit code 3)

A message names the argument, the value, the rule and the next step. Anything else that rises is a bug of ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import pandas as pd


class SigmaError(Exception):
    """Base of everything Sigma raises on purpose."""

    exit_code: ClassVar[int] = 1


class InputError(SigmaError, ValueError):
    """What was asked for cannot be read or makes no sense; the message says what to write instead."""

    exit_code = 2


class PositionsRejected(InputError):
    """A positions file with bad rows; ``rejected`` has line, column, value, rule, fix and reason of each."""

    def __init__(self, source: str, rejected: pd.DataFrame) -> None:
        self.source, self.rejected = source, rejected
        super().__init__(self.told(most=20))

    def told(self, *, most: int | None = None) -> str:
        """The message with the reasons, all of them or ``most``."""
        count, reasons = len(self.rejected), self.rejected["reason"].iloc[:most]
        shown = "".join(f"  {reason}\n" for reason in reasons)
        more = f"  ... and {count - len(reasons)} more\n" if count > len(reasons) else ""
        return (
            f"{self.source}: {count} problem(s), nothing was imported\n{shown}{more}"
            "Mend the lines above, or import the rest with --skip-bad."
        )


class DataUnavailable(SigmaError):
    """The source does not have what was asked for; the message names the symbol and the range it does have."""


class AccessDenied(DataUnavailable):
    """The vendor refuses the key (401), or the plan does not have this (403); the message never has the key.

    everything : whether whatever else is asked would be refused, too.
    """

    def __init__(self, message: str, *, everything: bool = False) -> None:
        self.everything = everything
        super().__init__(message)


class RateLimited(DataUnavailable):
    """The vendor's limit is used up (429) for longer than is worth waiting; the message says how long."""


class SourceDown(DataUnavailable):
    """No answer in time, or only failures, after every retry; or the circuit breaker is open, and until when."""


class AnswerUnreadable(DataUnavailable):
    """The vendor's answer is cut off or has another shape than is documented; nothing of it was kept."""


class WorkspaceError(SigmaError):
    """The workspace, its database or a port is not as it must be; the message says how to mend it."""


class ReportFailed(SigmaError):
    """A report run failed; ``notebook`` is the half-executed notebook that shows where."""

    exit_code = 3

    def __init__(self, message: str, notebook: Path) -> None:
        self.notebook = notebook
        super().__init__(message)
