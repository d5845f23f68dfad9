"""Descriptions of errors for tables and logs, without the texts of the errors, which may quote personal values."""

import traceback
from pathlib import Path

from psycopg import Error

from adapters.log.reader import LogGapError

ROOT = Path(__file__).parents[2]
OURS = {"adapters", "api", "domain", "migrations", "projections", "tests", "workers"}


def describe(error: BaseException) -> str:
    """Return the class of the error, its SQLSTATE if any, and its place in our code, but not its text."""
    words = [type(error).__name__]
    if isinstance(error, LogGapError):
        words.append(f"the log is corrupt: {error}")
    if isinstance(error, Error) and error.sqlstate:
        about = error.diag.constraint_name or error.diag.column_name or error.diag.table_name
        words += [error.sqlstate, *([f"about {about}"] if about else [])]
    ours = [place for frame in traceback.extract_tb(error.__traceback__) if (place := _place(frame)) is not None]
    return " ".join([*words, *(f"in {place}" for place in ours[-1:])])


def _place(frame: traceback.FrameSummary) -> str | None:
    path = Path(frame.filename)
    if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in OURS:
        return None
    return f"{path.relative_to(ROOT)}:{frame.lineno}"
