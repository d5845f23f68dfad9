"""Who may do what, as `permission_matrix.yaml` says: every operation, every kind of caller."""

import httpx2
import pytest

from domain.core.borrowed import FORBIDDEN, Act
from domain.core.principal import SessionKind
from tests.api.edge.permission_matrix import Row, families
from tests.contract.described import operations
from tests.support.world.named import a_ward
from tests.support.world.product import UNLIMITED

pytestmark = pytest.mark.slow

CODES = {
    403: {"forbidden", "invalid-credentials", "not-in-organization", "impersonation-not-allowed"},
    404: {"not-found"},
    401: {"not-authenticated"},
}
CODE_OF_THE_DISABLED = {"session-revoked"}
CODE_OF_BORROWED = "impersonation-not-allowed"


def test_every_operation_has_a_row() -> None:
    written = {row.operation.title for rows in families().values() for row in rows}
    assert {each.title for each in operations()} - written == set()


@pytest.mark.parametrize("family", families())
async def test_each_principal_may_do_exactly_what_the_matrix_says(database_url: str, family: str) -> None:
    wrong: list[str] = []
    async with a_ward(database_url, **UNLIMITED) as ward:
        for row in families()[family]:
            ward.forget()
            for name in row.statuses:
                answer = await row.sent_by(ward, name)
                if problem := difference(row, name, answer):
                    wrong.append(f"{row.title} | {name}: {problem}")
        assert not wrong, "\n".join(wrong)


FORBIDDEN_TO_BORROWED: dict[Act, str] = {
    "change contacts": "PATCH /v1/users/{id}/ (one's own login name)",
    "change the password": "POST /v1/users/{id}/change-password/ (one's own, with a wrong old password)",
    "claim an onboarding request": "POST /v1/onboarding-requests/claim/ (of a participant)",
    "create a TOTP configuration": "POST /v1/mfa-totp/",
    "delete a TOTP configuration": "DELETE /v1/mfa-totp/{id}/ (one's own)",
    "disable TOTP": "POST /v1/mfa-totp/{id}/disable/ (one's own)",
    "enable TOTP": "POST /v1/mfa-totp/{id}/enable/ (one's own)",
    "end another session": "DELETE /v1/sessions/{id}/ (another one of one's own)",
    "forget agreements": "POST /v1/users/{id}/delete-service-document-agreements/ (one's own)",
    "impersonate": "POST /v1/impersonation-requests/",
    "issue a synthetic token": "POST /v1/synthetic-user-tokens/",
    "replace recovery codes": "POST /v1/mfa-totp/{id}/recovery-codes/ (one's own)",
    "switch the organization": "POST /v1/users/{id}/switch-organization/ (one's own session)",
}
"""The row of the matrix that each entry of the table is about."""


def test_every_command_forbidden_to_borrowed_sessions_has_a_row() -> None:
    titles = {row.title for rows in families().values() for row in rows}
    assert FORBIDDEN_TO_BORROWED.keys() == FORBIDDEN.keys()
    assert set(FORBIDDEN_TO_BORROWED.values()) <= titles


@pytest.mark.parametrize("kind", ["impersonated", "synthetic"])
async def test_borrowed_sessions_do_all_but_the_forbidden_commands(database_url: str, kind: SessionKind) -> None:
    wrong: list[str] = []
    async with a_ward(database_url, **UNLIMITED) as ward:
        for name in ("PAT", "LEAD", "OADM"):
            ward.people[name] = await ward.world.borrowed(ward.people[name], kind)
        for row in (row for rows in families().values() for row in rows):
            acts = [act for act, title in FORBIDDEN_TO_BORROWED.items() if title == row.title]
            for name in ("PAT", "LEAD", "OADM"):
                ward.forget()
                answer = await row.sent_by(ward, name)
                if any(kind in FORBIDDEN[act] for act in acts):
                    codes = [error["code"] for error in answer.json()["errors"]]
                    problem = "" if (answer.status_code, codes) == (403, [CODE_OF_BORROWED]) else answer.text
                else:
                    problem = difference(row, name, answer)
                if problem:
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
