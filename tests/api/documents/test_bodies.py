"""Bodies of all operations: which are taken, and where the others are wrong."""

from typing import Any

import pytest

from tests.api.documents import test_authorization, test_groups, test_organizations, test_people, test_sessions
from tests.api.documents.violations import complaints

TABLES = (test_authorization, test_groups, test_organizations, test_people, test_sessions)


@pytest.mark.parametrize(("model", "body"), [case for table in TABLES for case in table.TAKEN])
def test_a_good_body_is_taken(model: Any, body: Any) -> None:
    assert complaints(model, body) == []


@pytest.mark.parametrize(("model", "body", "pointer", "kind"), [case for table in TABLES for case in table.REFUSED])
def test_a_bad_body_is_refused_where_it_is_wrong(model: Any, body: Any, pointer: str, kind: str) -> None:
    assert complaints(model, body) == [(pointer, kind)]
