"""Who may do what, as `permission_matrix.yaml` says: every operation, every kind of caller."""

import httpx2
import pytest

from tests.api.edge.permission_matrix import Row, families
from tests.api.ward import a_ward
from tests.contract.described import operations
from tests.support.world import UNLIMITED

CODES = {403: {"forbidden"}, 404: {"not-found"}, 401: {"not-authenticated"}}
CODE_OF_THE_DISABLED = {"session-revoked"}


def test_every_operation_has_a_row() -> None:
    written = {row.operation.title for rows in families().values() for row in rows}
    assert {each.title for each in operations()} - written == set()


@pytest.mark.parametrize("family", families())
async def test_everybody_may_do_what_the_matrix_says_and_nothing_else(database_url: str, family: str) -> None:
    wrong: list[str] = []
    async with a_ward(database_url, **UNLIMITED) as ward:
        for row in families()[family]:
            ward.forget()
            for name in row.statuses:
                answer = await row.sent_by(ward, name)
                if problem := difference(row, name, answer):
                    wrong.append(f"{row.title} | {name}: {problem}")
        assert not wrong, "\n".join(wrong)


def difference(row: Row, name: str, answer: httpx2.Response) -> str:
    """Where the answer is not what this principal should get; "" when all is well."""
    status = row.statuses[name]
    if answer.status_code != status:
        return f"{answer.status_code} instead of {status}: {answer.text[:300]}"
    expected = CODE_OF_THE_DISABLED if status == 401 and name == "GONE" else CODES.get(status)
    if expected is None or row.operation.tag == "internal-auth":
        return ""
    found = {error["code"] for error in answer.json()["errors"]}
    return "" if found <= expected else f"{found} instead of {expected}"
