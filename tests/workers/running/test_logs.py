"""What a running product writes into its logs at the most talkative level, whatever it is asked (architecture, 8)."""

import hashlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.processes import processes, wait_until
from tests.support.running import Running, a_folder

pytestmark = pytest.mark.slow

PASSWORD, WRONG, TOKEN = "quite-a-walrus-77", "some-other-narwhal-78", "token-of-the-records-application"
NAME = "Byron-King"
PERSON = {
    "patient-email": "ada.lovelace@people.test",
    "username": "countess-of-lovelace",
    "phone-number": "+12025550142",
    "password": "analytical-engine-1843",
}


class Talk:
    """Requests of every kind, and what of them must not be found again."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self.secrets = {PASSWORD, WRONG, TOKEN, NAME, *PERSON.values()}

    def ask(self, method: str, path: str, status: int, **request: Any) -> Any:
        answer = self._client.request(method, path, **request)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def sign_in(self) -> None:
        who = {"username": "admin@rollbook.local", "password": PASSWORD}
        self.ask("POST", "/v1/login/", 401, json=who | {"password": WRONG})
        tokens = self.ask("POST", "/v1/login/", 201, json=who)
        digest = hashlib.sha512(TOKEN.encode()).hexdigest()
        proof = {"namespace": "apps", "sa-name": "records", "sa-token-sha512": digest}
        service = self.ask("POST", "/v1/internal-auth/", 201, json=proof)
        self.ask("POST", "/v1/internal-auth/", 401, json=proof | {"sa-token-sha512": digest[::-1]})
        self.secrets |= {tokens["access-token"], tokens["refresh-token"], service["access-token"], digest, digest[::-1]}
        self._client.headers["Authorization"] = f"Bearer {tokens['access-token']}"

    def onboard(self) -> None:
        body = {"data": {"type": "organizations", "attributes": {"name": "north"}}}
        organization = self.ask("POST", "/v1/organizations/", 201, json=body)["data"]["id"]
        at_once = {"auto-sign-up": True, "auto-confirm": True, "notifications": [], "onboard-type": "provider"}
        given = {"organization": organization, **at_once, **PERSON}
        body = {"data": {"type": "onboarding-requests", "attributes": given}}
        self.ask("POST", "/v1/onboarding-requests/", 201, json=body)
        mistaken = {"data": {"type": "onboarding-requests", "attributes": given | {"phone-number": PERSON["username"]}}}
        self.ask("POST", "/v1/onboarding-requests/", 400, json=mistaken)

    def stumble(self) -> None:
        address = PERSON["patient-email"]
        self.ask("GET", f"/v1/users/{address}/", 400)
        self.ask("GET", f"/{address}", 404)
        self.ask("GET", "/v1/users/", 400, params={"name": address})
        self.ask("GET", "/v1/users/", 200, params={"email": NAME})
        self.ask(
            "POST",
            "/v1/login/",
            400,
            content=f'{{"username": "{address}"',
            headers={"Content-Type": "application/json"},
        )
        self.ask("POST", "/v1/login/", 400, json={"username": address, address: PASSWORD})
        self.ask("POST", "/v1/login/", 415, content=address)
        self.ask("GET", "/v1/users/", 401, headers={"Authorization": f"Bearer {address}"})
        self.ask("GET", "/v1/users/", 400, headers={"X-At-Least-Position": address})

    def talk_nonsense(self, url: str) -> None:
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as connection:
            connection.sendall(f"GET {PERSON['patient-email']}\r\n{PERSON['username']}\r\n\r\n".encode())
            assert b" 400 " in connection.recv(1000)


def kill_postgres(data: Path) -> None:
    for pid, command in processes(str(data), "/postgres -D").items():
        if "embedded/guard.py" not in command:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def talked() -> Iterator[tuple[Running, Talk]]:
    """A product that was asked all of it, and whose Postgres was killed meanwhile."""
    settings = {"ADMIN_PASSWORD": PASSWORD, "SERVICE_ACCOUNTS": f"apps/records:{TOKEN}", "LOG_LEVEL": "debug"}
    with a_folder() as data:
        running = Running(data, **{f"ROLLBOOK_{name}": value for name, value in settings.items()})
        try:
            running.until_ready()
            with httpx2.Client(base_url=running.url, timeout=30) as client:
                talk = Talk(client)
                talk.sign_in()
                talk.onboard()
                talk.stumble()
                talk.talk_nonsense(running.url)
                kill_postgres(data)
                wait_until(lambda: "projectors-interrupted" in running.output.read_text())
                wait_until(lambda: client.get("/v1/users/").status_code == 200)
        finally:
            running.stop()
        talk.secrets |= {line for name in ("master.key", "signing.pem") for line in _secret_lines(data / name)}
        yield running, talk


def _secret_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("-----")]


def test_nothing_personal_and_no_secret_stands_in_any_log(talked: tuple[Running, Talk]) -> None:
    running, talk = talked
    logs = [running.output, *running.data.rglob("*.log")]
    assert {"output", "postgres.log", "valkey.log"} <= {log.name for log in logs}
    assert [(log.name, secret) for log in logs for secret in sorted(talk.secrets) if secret in log.read_text()] == []


def test_every_line_is_json_with_time_event_and_level(talked: tuple[Running, Talk]) -> None:
    lines = [line for line in talked[0].output.read_text().splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    assert all({"event", "level", "timestamp"} <= event.keys() for event in events)
    assert {"request", "lease-taken", "listener-lost", "projectors-interrupted"} <= {event["event"] for event in events}
    assert all(
        {"request_id", "method", "route", "status", "ms"} <= each.keys()
        for each in events
        if each["event"] == "request"
    )
    plain = [line for line in talked[0].output.read_text().splitlines() if not line.startswith("{")]
    told = (
        "migrated ",
        "First administrator ",
        "Rollbook is ",
        "API ",
        "Docs ",
        "Outbox ",
        "Data ",
        "Ctrl-C ",
        "postgres has ended",
    )
    assert [line for line in plain if not line.startswith(told)] == []
