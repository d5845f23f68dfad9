"""Checks enrollment schemas and enrollment data in a process of its own (ruling K87).

Administrators write the schemas and everybody sends data, so that a check may be made to take for ever.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.child_program import ChildProgram
from adapters.security.passwords import BoundedPool
from domain.organizations.enrollment import InvalidSchema, Violation

PROGRAM = Path(__file__).with_name("enrollment_checking.py")
MAX_WAITING = 20


class CheckedEnrollmentSchemas:
    """Implements `domain.organizations.enrollment.EnrollmentSchemas`. Its thread and its process end with `with`."""

    def __init__(self) -> None:
        self._program = ChildProgram(PROGRAM)
        self._checking = BoundedPool("enrollment", 1, MAX_WAITING)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.close()  # so that the running check ends
        self._checking.close(wait=True)
        self._program.close()  # a process that was starting at that moment

    async def require_valid(self, schema: str) -> None:
        await self._checked(schema, None)

    async def violations(self, schema: str, data: str) -> list[Violation]:
        return await self._checked(schema, data)

    async def _checked(self, schema: str, data: str | None) -> list[Violation]:
        line = json.dumps([schema, data]).encode()
        found = await self._checking.run(lambda: self._program.answer(line))
        violations = json.loads(found) if found else None
        if violations is None:  # not valid, or so costly that the process was killed
            raise InvalidSchema
        return [Violation(tuple(path), keyword, missing=missing) for path, keyword, missing in violations]
