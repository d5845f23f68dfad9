"""The main use case, run over HTTP against a running server or one that the demo starts and removes."""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from rich.console import Console

from workers.running.readiness import becomes_ready

PASSWORD = "a-demo-needs-no-secrets-7"  # noqa: S105 - the password of people who exist only in the demo
PATIENCE = 60.0  # seconds to wait until the server is ready

_console = Console(highlight=False, soft_wrap=True)


class DemoRefusedError(Exception):
    """The demo cannot go on, because the server did not answer as expected; the text says how."""


async def run(url: str | None) -> None:
    """Run the demo and print each step. With a `url`, ROLLBOOK_ADMIN_EMAIL and _PASSWORD name the administrator."""
    if url is not None:
        email, password = os.environ.get("ROLLBOOK_ADMIN_EMAIL"), os.environ.get("ROLLBOOK_ADMIN_PASSWORD")
        if not email or not password:
            raise DemoRefusedError("set ROLLBOOK_ADMIN_EMAIL and ROLLBOOK_ADMIN_PASSWORD to the server's administrator")
        await _run_against(url, email, password)
        return
    async with _server() as (base, email, password):
        await _run_against(base, email, password)


async def _run_against(base: str, email: str, password: str) -> None:
    try:
        async with httpx2.AsyncClient(base_url=base, timeout=30) as client:
            await _run_steps(Demo(client), email, password)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DemoRefusedError(f"{base} does not answer: {error}") from error


async def _run_steps(demo: "Demo", email: str, password: str) -> None:
    await demo.log_in(email, password)
    await demo.create_organization()
    await demo.onboard_people()
    await demo.create_groups()
    await demo.check("before the move")
    await demo.move()
    await demo.check("after the move")
    await demo.show_log()
    await demo.show_replicators()


class Demo:
    """The steps of the demo. It remembers the ids of what it creates by name."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._ids: dict[str, str] = {}
        self._mark = uuid4().hex[:6]

    async def log_in(self, email: str, password: str) -> None:
        answer = await self._post("/v1/login/", {"username": email, "password": password})
        self._client.headers["Authorization"] = f"Bearer {answer['access-token']}"
        _say("The administrator signs in", answer["username"])

    async def create_organization(self) -> None:
        name = f"north-clinic-{self._mark}"
        answer = await self._create("organizations", {"name": name, "display-name": "North Clinic"})
        self._ids["organization"] = answer["id"]
        _say("An organization", f"{name}, {answer['attributes']['authorization-type']}")

    async def onboard_people(self) -> None:
        await self._onboard("Ada", "provider", ["org.admin"])
        for name in ("Ben", "Cleo", "Dora"):
            await self._onboard(name, "provider", [])
        for name in ("Pia", "Quentin"):
            await self._onboard(name, "patient", [])

    async def create_groups(self) -> None:
        await self._group("Adults", "division", [])
        await self._group("Children", "division", ["Dora"])
        await self._group("Diabetes", "group", ["Ben"])
        await self._group("Asthma", "group", [])
        await self._add_users("Adults", "leaders", ["Cleo"])
        await self._add_users("Asthma", "members", ["Ben"])
        await self._add_individual("Diabetes", "Pia")
        await self._add_individual("Asthma", "Quentin")
        for group in ("Diabetes", "Asthma"):
            await self._move_under(group, "Adults")
        _say(
            "A tree",
            "Adults ⊃ Diabetes (led by Ben: Pia), Asthma (member Ben: Quentin); Cleo leads Adults, Dora Children",
        )

    async def check(self, when: str) -> None:
        _say("Who may write Pia?", when)
        for name in ("Ada", "Ben", "Cleo", "Dora"):
            body = {"user-id": self._ids[name], "access-query": [f"individual:{self._ids['Pia:individual']}:write"]}
            answer = await self._post("/v1/authz-resource-access/", body)
            _console.print(f"     {name:<5} {'yes' if answer['allow'] else 'no'}")

    async def move(self) -> None:
        await self._move_under("Diabetes", "Children")
        _say("Diabetes moves", "from Adults to Children, as one event")

    async def show_log(self) -> None:
        answer = await self._get("/v1/individual-group-logs/", {"individual-group-id": self._ids["Diabetes"]})
        _say("The log of Diabetes", f"{len(answer['data'])} entries, newest first")
        for row in answer["data"]:
            entry = row["attributes"]
            _console.print(f"     {entry['created-time']}  {entry['event']} {entry['subject']}")

    async def show_replicators(self) -> None:
        answer = await self._get("/v1/replicators/", {})
        _say("Replicators", "the projections and their positions in the log")
        for row in answer["data"]:
            replicator = row["attributes"]
            _console.print(
                f"     {replicator['classpath'].rpartition('.')[2]:<34} {replicator['mode']:<10}"
                f" {replicator['state']:<8} {replicator['position']:>5} of {replicator['head']}"
            )

    async def _onboard(self, name: str, onboard_type: str, roles: list[str]) -> None:
        attributes = {
            "organization": self._ids["organization"],
            "onboard-type": onboard_type,
            "patient-email": f"{name.lower()}-{self._mark}@example.org",
            "password": PASSWORD,
            "auto-sign-up": True,
            "auto-confirm": True,
            "notifications": [],
            "provider-roles": roles,
        }
        answer = await self._create("onboarding-requests", attributes)
        self._ids[name] = answer["attributes"]["claimed-by"]
        self._ids[f"{name}:individual"] = answer["attributes"]["patient"]
        _say(f"{name} is a {onboard_type}", ", ".join(roles))

    async def _group(self, name: str, node_type: str, leaders: list[str]) -> None:
        attributes = {
            "name": name,
            "node-type": node_type,
            "organization-id": self._ids["organization"],
            "leader-ids": [self._ids[leader] for leader in leaders],
        }
        self._ids[name] = (await self._create("individual-groups", attributes))["id"]

    async def _add_users(self, group: str, kind: str, names: list[str]) -> None:
        body = {"user-ids": [self._ids[name] for name in names]}
        await self._post(f"/v1/individual-groups/{self._ids[group]}/add-{kind}/", body)

    async def _add_individual(self, group: str, name: str) -> None:
        body = {"individual-ids": [self._ids[f"{name}:individual"]]}
        await self._post(f"/v1/individual-groups/{self._ids[group]}/add-individuals/", body)

    async def _move_under(self, group: str, parent: str) -> None:
        body = {"to-parent-group-id": self._ids[parent]}
        answer = await self._post(f"/v1/individual-groups/{self._ids[group]}/move-group/", body)
        while True:
            task = await self._get(f"/v1/tasks/{answer['data']['task-id']}/", {})
            state = task["data"]["attributes"]["state"]
            if state == "done":
                return
            if state == "failed":
                raise DemoRefusedError(f"{group} could not be moved: {task['data']['attributes']['error']}")
            await asyncio.sleep(0.05)

    async def _create(self, resource_type: str, attributes: dict[str, Any]) -> dict[str, Any]:
        answer = await self._post(f"/v1/{resource_type}/", {"data": {"type": resource_type, "attributes": attributes}})
        created: dict[str, Any] = answer["data"]
        return created

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return _accepted(await self._client.post(path, json=body))

    async def _get(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        return _accepted(await self._client.get(path, params=parameters))


def _accepted(answer: httpx2.Response) -> dict[str, Any]:
    if answer.status_code >= 300:
        raise DemoRefusedError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
    document: dict[str, Any] = answer.json()
    return document


def _say(step: str, result: str) -> None:
    _console.print(f"[bold]• {step}[/bold]  {result}")


@asynccontextmanager
async def _server() -> AsyncIterator[tuple[str, str, str]]:
    """Run a server on a free port and in a temporary folder, and yield its URL, e-mail address and password."""
    email, password, port = "demo@rollbook.local", secrets.token_urlsafe(12), _free_port()
    with _folder() as folder:
        settings = {"DATA": folder, "PORT": str(port), "ADMIN_EMAIL": email, "ADMIN_PASSWORD": password}
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(sys.executable).with_name("rollbook")), "up"),
            env=_bare_environment() | {f"ROLLBOOK_{name}": value for name, value in settings.items()},
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            _say("A server is started", f"http://127.0.0.1:{port}")
            await _ready(server, port)
            yield f"http://127.0.0.1:{port}", email, password
        finally:
            with contextlib.suppress(ProcessLookupError):
                server.terminate()
            await server.wait()


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="rollbook-demo-") as folder:
        Path(folder).chmod(0o711)  # for root's servers, which run as another user and would use another folder
        yield folder


def _bare_environment() -> dict[str, str]:
    """Return the environment without the variables that configure another server."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL"} and not name.startswith("ROLLBOOK_")
    }


async def _ready(server: asyncio.subprocess.Process, port: int) -> None:
    ready = asyncio.create_task(becomes_ready("127.0.0.1", port, PATIENCE))
    ended = asyncio.create_task(server.wait())
    await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
    for task in (ready, ended):
        task.cancel()
    await asyncio.gather(ready, ended, return_exceptions=True)
    if ready.cancelled() or not ready.result():
        raise DemoRefusedError("the server did not start; `rollbook up` shows the reason")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
