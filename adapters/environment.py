"""Reads the settings from the environment. An error names the variable and never quotes its value."""

import os
import sys
from collections.abc import Callable, Iterable

from pydantic import ValidationError

from adapters.settings import PREFIX, InvalidSettingsError, Settings

UNPREFIXED = {"database_url", "redis_url"}
INTERNAL = {"ROLLBOOK_LIFELINE", "ROLLBOOK_LISTENING", "ROLLBOOK_TEST_DATABASE_URL"}
"""Variables that the supervisor passes to its parts, and those of the tests."""


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Return the variables that have the prefix but are not settings, sorted."""
    known = {PREFIX + field.upper() for field in Settings.model_fields} | INTERNAL
    return sorted(name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known)


def _to_standard_error(text: str) -> None:
    if "ROLLBOOK_LIFELINE" not in os.environ:  # the supervisor has already printed the warning
        sys.stderr.write(f"rollbook: {text}\n")


def load_settings(warn: Callable[[str], object] = _to_standard_error) -> Settings:
    """Return the settings of this environment. Raises InvalidSettingsError.

    Warns of variables that have the prefix but are not settings, because a typing error would be silent otherwise.
    """
    for name in unknown_variables(os.environ):
        warn(f"{name} is not a setting of Rollbook; it is ignored")
    try:
        return Settings()
    except ValidationError as error:
        # a default computed from an invalid value is not a separate problem
        problems = [problem for problem in error.errors() if problem["type"] != "default_factory_not_called"]
        lines = [f"{_variable(problem['loc'])}: {_reason(problem['msg'])}" for problem in problems]
        raise InvalidSettingsError("\n".join(lines)) from None


def _variable(location: tuple[int | str, ...]) -> str:
    field = str(location[0]) if location else "settings"
    return field.upper() if field.lower() in UNPREFIXED else PREFIX + field.upper().removeprefix(PREFIX)


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")
