"""The app keeps the contract, and the check that says so notices when it does not."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.check import FOLDER, shortfalls


@pytest.fixture
def contract() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
    return document


@pytest.fixture
def nothing_waits(tmp_path: Path) -> Path:
    path = tmp_path / "not_built.txt"
    path.write_text("", encoding="utf-8")
    return path


def test_the_application_keeps_the_contract_except_unbuilt_operations() -> None:
    from api.app import openapi_document

    assert shortfalls(openapi_document()) == []


def test_the_contract_keeps_itself(contract: dict[str, Any], nothing_waits: Path) -> None:
    assert shortfalls(contract, nothing_waits) == []


def test_a_missing_operation_is_noticed(contract: dict[str, Any], nothing_waits: Path) -> None:
    del contract["paths"]["/v1/login/"]
    assert shortfalls(contract, nothing_waits) == ["POST /v1/login/: operation missing"]


def test_a_contradicted_limit_is_noticed(contract: dict[str, Any], nothing_waits: Path) -> None:
    damaged = copy.deepcopy(contract)
    login = damaged["paths"]["/v1/refresh-token/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in login:
        login = damaged["components"]["schemas"][login["$ref"].rsplit("/", 1)[1]]
    login["properties"]["refresh-token"]["maxLength"] = 1
    assert shortfalls(damaged, nothing_waits) == ["POST /v1/refresh-token/: body.refresh-token maxLength 1 (want 2048)"]


def test_a_built_operation_may_not_stand_among_those_not_built(contract: dict[str, Any], nothing_waits: Path) -> None:
    nothing_waits.write_text("POST /v1/login/\n", encoding="utf-8")
    assert shortfalls(contract, nothing_waits) == ["POST /v1/login/: is built, but stands in not_built.txt"]


def test_an_unknown_operation_may_not_stand_among_those_not_built(
    contract: dict[str, Any], nothing_waits: Path
) -> None:
    nothing_waits.write_text("POST /v1/logout/\n", encoding="utf-8")
    assert shortfalls(contract, nothing_waits) == ["POST /v1/logout/: stands in not_built.txt, but not in the contract"]
