"""Scores how easily passwords are guessed. Scoring is Python code that takes from 20 ms to many seconds."""

import json
from collections.abc import Sequence
from pathlib import Path

from adapters.child_program import ChildProgram
from domain.core.errors import TooMany
from domain.people.passwords import Rating

PROGRAM = Path(__file__).with_name("password_scoring.py")


class PasswordScorer:
    """Scores one password at a time, for one thread."""

    def __init__(self) -> None:
        self._program = ChildProgram(PROGRAM)

    def rate(self, password: str, about: Sequence[str]) -> Rating:
        """Return the rating; its score is 0 if that takes too long. Raises TooMany if the process does not answer."""
        answer = self._program.answer(json.dumps([password, *about]).encode())
        if not answer:
            raise TooMany
        score, suggestions = json.loads(answer)
        return Rating(score, suggestions)

    def close(self) -> None:
        """Stop the process for good."""
        self._program.close()
