"""Races of accounts: threads with connections of their own against the running product (K32, K89, K90, K91, K142)."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple

import httpx2
import pytest

from tests.support.processes import wait_until
from tests.support.running import a_folder, administrator_of, up, url_of

pytestmark = pytest.mark.slow

THREADS = 6
ROUNDS = 5
PASSWORD = "correct-horse-battery-staple-9"
Call = Callable[[], httpx2.Response]


class Product(NamedTuple):
    """A running product with an organization whose code is North-1. `staff` are the headers of the administrator."""

    url: str
    outbox: Path
    staff: dict[str, str]

    def post(self, operation: str, headers: dict[str, str] | None = None, /, **body: Any) -> httpx2.Response:
        """Call over a new connection."""
        named = {name.replace("_", "-"): value for name, value in body.items()}
        return httpx2.post(f"{self.url}/v1/{operation}/", json=named, headers=headers, timeout=30)

    def create(self, kind: str, **attributes: Any) -> str:
        """Return the id of a new resource."""
        body = {"data": {"type": kind, "attributes": {name.replace("_", "-"): v for name, v in attributes.items()}}}
        answer = httpx2.post(f"{self.url}/v1/{kind}/", json=body, headers=self.staff, timeout=30)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    def sign_up(self, email: str) -> httpx2.Response:
        names = {"first_name": "Ann", "last_name": "Lee", "username": email}
        return self.post("sign-up", organization_code="North-1", password=PASSWORD, **names)

    def code(self, email: str, template: str = "verify-email") -> str:
        """Return the code of the only message of this type to the address."""

        def sent() -> list[dict[str, Any]]:
            messages = (json.loads(path.read_text()) for path in self.outbox.glob("*.json"))
            return [message for message in messages if (message["to"], message["template"]) == (email, template)]

        wait_until(lambda: len(sent()) == 1)
        return str(sent()[0]["code"])


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with a_folder() as data, up(data) as output:
        url = url_of(output)
        token = httpx2.post(f"{url}/v1/login/", json=administrator_of(output)).json()["access-token"]
        running = Product(url, data / "outbox", {"Authorization": f"Bearer {token}"})
        running.create(
            "organization-codes", id="North-1", organization_id=running.create("organizations", name="north")
        )
        yield running


def at_once(calls: Sequence[Call]) -> list[httpx2.Response]:
    """Let each thread wait for all others before it calls."""
    barrier = Barrier(len(calls))

    def called(call: Call) -> httpx2.Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(called, calls))


def test_of_several_sign_ups_with_one_address_one_succeeds(product: Product) -> None:
    answers = at_once([lambda: product.sign_up("one@people.test")] * THREADS)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: THREADS - 1}


def test_of_several_confirmations_with_one_code_one_opens_a_session(product: Product) -> None:
    assert product.sign_up("two@people.test").status_code == 201
    code = product.code("two@people.test")
    confirmation = {"username": "two@people.test", "confirmation_code": code, "login": True}
    answers = at_once([lambda: product.post("confirm-sign-up", **confirmation)] * THREADS)
    assert {answer.status_code for answer in answers} == {201}
    assert [answer.json()["login-error"] is None for answer in answers].count(True) == 1


def test_of_several_resets_with_one_code_one_succeeds(product: Product) -> None:
    """A code for a forgotten password serves people who have signed up, too (ruling K5)."""
    assert product.sign_up("three@people.test").status_code == 201
    product.code("three@people.test")
    assert product.post("forgot-password", username="three@people.test").status_code == 201
    code = product.code("three@people.test", "forgot-password")
    reset = {"username": "three@people.test", "confirmation_code": code, "password": f"{PASSWORD}9"}
    answers = at_once([lambda: product.post("confirm-forgot-password", **reset)] * THREADS)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: THREADS - 1}


def test_no_session_outlives_the_disabling_of_its_user(product: Product) -> None:
    assert product.sign_up("four@people.test").status_code == 201
    confirmation = {"username": "four@people.test", "confirmation_code": product.code("four@people.test")}
    assert product.post("confirm-sign-up", **confirmation).status_code == 201
    login = {"username": "four@people.test", "password": PASSWORD}
    user_id = product.post("login", **login).json()["user-id"]
    for _ in range(ROUNDS):
        calls: list[Call] = [lambda: product.post("login", **login)] * (THREADS - 1)
        *logins, disabled = at_once([*calls, lambda: product.post(f"users/{user_id}/disable", product.staff)])
        assert disabled.status_code == 201
        assert {answer.status_code for answer in logins} <= {201, 403}
        for token in [answer.json()["access-token"] for answer in logins if answer.status_code == 201]:
            assert product.post("authenticate", {"Authorization": f"Bearer {token}"}).status_code == 401
        assert product.post(f"users/{user_id}/enable", product.staff).status_code == 201
