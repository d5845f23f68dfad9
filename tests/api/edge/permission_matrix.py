"""Reads `permission_matrix.yaml`: its rows, and the requests that they stand for."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import yaml

from tests.contract.described import Operation, operations
from tests.support.world.named import Ward

PRINCIPALS = (
    "ANON", "PAT", "PROV", "MEM", "LEAD", "OADM", "FAR-PROV", "FAR-OADM", "EMP", "SYS", "SVC", "GONE",
)  # fmt: skip
WITHOUT_TOKEN = ("ANON", "GONE")


@dataclass(frozen=True)
class Row:
    """`statuses` are by principal."""

    operation: Operation
    case: str
    told: dict[str, Any]
    statuses: dict[str, int]

    @property
    def title(self) -> str:
        return f"{self.operation.title}{f' ({self.case})' if self.case else ''}"

    async def sent_by(self, ward: Ward, name: str) -> httpx2.Response:
        """Return the answer that this principal gets. New things are used again until a command changed them."""
        caller = ward.people[name]
        request = await self.request(ward, name)
        at_least = {"X-At-Least-Position": str(await ward.world.identity.store.save())}
        answer = await ward.world.client.request(**request, headers={**caller.bearer, **at_least})
        if answer.is_success and self.operation.method != "GET":
            ward.forget()
        if answer.is_success and self.operation.path.endswith("/switch-organization/"):
            bearer = {"Authorization": f"Bearer {answer.json()['access-token']}"}
            ward.people[name] = replace(caller, bearer=bearer)  # the former session has ended
        return answer

    def allowed(self) -> list[str]:
        """Return the principals who may, those with the fewest rights first."""
        return [name for name in PRINCIPALS if self.statuses.get(name, 403) < 300]

    async def request(self, ward: Ward, name: str) -> dict[str, Any]:
        """Arguments of a client's `request`, all but the headers. What is new is there from now on."""
        told = await ward.filled(self.told, ward.people[name])
        return {
            "method": self.operation.method,
            "url": self.operation.path.replace("{id}", told.get("id", "")),
            "params": told.get("query", {}),
            "json": self._body(told),
        }

    def _body(self, told: dict[str, Any]) -> Any:
        if "attributes" not in told:
            return told.get("body")
        assert self.operation.body
        resource = self.operation.body["properties"]["data"]["properties"]["type"]["const"]
        data = {"type": resource, "attributes": told["attributes"]}
        return {"data": {**data, "id": told["id"]} if self.operation.method == "PATCH" else data}


@cache
def families() -> dict[str, list[Row]]:
    """The rows by the headings they stand under."""
    written = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {family: [_row(row) for row in rows] for family, rows in written.items()}


def _row(written: dict[Any, Any]) -> Row:
    (operation,) = (each for each in operations() if each.title == written["operation"])
    told = {name: written[name] for name in ("id", "query", "body", "attributes") if name in written}
    unknown = {name for name in written if isinstance(name, str)} - {*told, "operation", "case"}
    assert not unknown, unknown
    return Row(operation, written.get("case", ""), told, _statuses(written))


def _statuses(written: dict[Any, Any]) -> dict[str, int]:
    named = {name: status for status, names in written.items() if isinstance(status, int) for name in names.split()}
    listed = [name for status, names in written.items() if isinstance(status, int) for name in names.split()]
    assert len(listed) == len(named), f"{written['operation']}: a principal is listed twice"
    rest = named.pop("others", None)
    found = {**{name: rest for name in PRINCIPALS if rest}, **dict.fromkeys(WITHOUT_TOKEN, 401), **named}
    assert set(found) == set(PRINCIPALS), f"{written['operation']}: {set(PRINCIPALS) ^ set(found)}"
    return {name: status for name, status in found.items() if status is not None}
