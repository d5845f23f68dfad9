"""Callers of a product that comes and goes: each command is sent until it is acknowledged, under one key."""

import asyncio
import hashlib
from typing import Any
from uuid import uuid4

import httpx2

from tests.support.running import Running, administrator_of

TOKEN = "token-of-the-records-application"
ACCOUNTS = f"apps/records:{TOKEN}"
PAUSE = 0.05


class Callers:
    """People are created and placed in `group`, which moves about, until `stopping`; what was acknowledged is noted."""

    def __init__(self, client: httpx2.AsyncClient, running: Running) -> None:
        self._client = client
        self.running = running
        self.placed: list[str] = []
        self.moves: list[str] = []
        self.stopping = asyncio.Event()
        self._position = 0
        self._tokens: dict[str, str] = {}

    async def open(self) -> None:
        """An organization with a group and two divisions."""
        proof = {
            "namespace": "apps",
            "sa-name": "records",
            "sa-token-sha512": hashlib.sha512(TOKEN.encode()).hexdigest(),
        }
        for who, path, body in (
            ("admin", "login", administrator_of(self.running.output)),
            ("service", "internal-auth", proof),
        ):
            self._tokens[who] = (await self.send(f"/v1/{path}/", body, who))["access-token"]
        self.organization = await self._create("organizations", "admin", {"name": "north"})
        belonging = {"organization-id": self.organization}
        self.group, *self.divisions = [
            await self._create("individual-groups", "admin", {"name": kind, "node-type": kind, **belonging})
            for kind in ("group", "division", "division")
        ]

    async def place_people(self) -> None:
        while not self.stopping.is_set():
            known = {"individual-id": str(uuid4()), "owner-id": self.organization}
            person = await self._create("individuals", "service", known)
            path = f"/v1/individual-groups/{self.group}/add-individuals/"
            await self.send(path, {"individual-ids": [person]}, "admin")
            self.placed.append(person)

    async def move_about(self) -> None:
        while not self.stopping.is_set():
            target = {"to-parent-group-id": self.divisions[len(self.moves) % 2]}
            answer = await self.send(f"/v1/individual-groups/{self.group}/move-group/", target, "admin")
            self.moves.append(answer["data"]["task-id"])
            await self.outcome_of(self.moves[-1])

    async def outcome_of(self, task: str) -> str:
        for _ in range(1200):
            state = (await self.read(f"/v1/tasks/{task}/"))["data"]["attributes"]["state"]
            if state in {"done", "failed"}:
                return str(state)
            await asyncio.sleep(PAUSE)
        raise AssertionError(f"{task} has not ended")

    async def send(self, path: str, body: Any, who: str) -> Any:
        """The acknowledgement. 409 says that the first try is still under way, 503 that Postgres is."""
        headers = {"Idempotency-Key": uuid4().hex, **self._bearer(who)}
        return await self._ask("POST", path, {201}, {409, 503}, json=body, headers=headers)

    async def read(self, path: str, **parameters: str) -> Any:
        """What an administrator is shown, with everything acknowledged so far in it."""
        headers = {"X-At-Least-Position": str(self._position), **self._bearer("admin")}
        return await self._ask("GET", path, {200}, {503}, params=parameters, headers=headers)

    def _bearer(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[who]}"} if who in self._tokens else {}

    async def _create(self, kind: str, who: str, attributes: dict[str, str]) -> str:
        answer = await self.send(f"/v1/{kind}/", {"data": {"type": kind, "attributes": attributes}}, who)
        return str(answer["data"]["id"])

    async def _ask(self, method: str, path: str, wanted: set[int], again: set[int], **request: Any) -> Any:
        while True:
            try:
                answer = await self._client.request(method, f"{self.running.url}{path}", **request)
            except httpx2.TransportError:
                pass
            else:
                if answer.status_code in wanted:
                    self._position = max(self._position, int(answer.headers.get("X-Position", 0)))
                    return answer.json()
                assert answer.status_code in again, answer.text
            await asyncio.sleep(PAUSE)
