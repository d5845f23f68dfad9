"""`rollbook keys`: a new key signs in every running process, and no token is refused for it (rulings K125 and K137)."""

import stat

import httpx2
import jwt
import pytest

from tests.support.processes import wait_until
from tests.support.running import KEYS, a_folder, administrator_of, rollbook, up, url_of

pytestmark = pytest.mark.slow

JWKS = "/.well-known/jwks.json"


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_a_rotation_reaches_all_processes_without_a_restart() -> None:
    with a_folder() as data, up(data, ROLLBOOK_API_PROCESSES="2") as output:
        body = administrator_of(output)
        with httpx2.Client(base_url=url_of(output)) as client:

            def logged_in() -> str:
                return str(client.post("/v1/login/", json=body).json()["access-token"])

            def accepted(token: str) -> int:
                headers = {"Authorization": f"Bearer {token}"}
                return client.post("/v1/authenticate/", headers=headers).status_code

            former = logged_in()
            done = rollbook("keys", "rotate", ROLLBOOK_DATA=str(data))
            assert (done.returncode, done.stderr) == (0, "")
            kid = done.stdout.strip()
            assert kid != kid_of(former)
            wait_until(lambda: all(kid_of(logged_in()) == kid for _ in range(6)), 5)
            tokens = [former, *(logged_in() for _ in range(4))]
            assert [accepted(token) for token in tokens * 3] == [201] * 15
            published = client.get(JWKS)
            assert [key["kid"] for key in published.json()["keys"]] == [kid, kid_of(former)]
        listed = rollbook("keys", "list", ROLLBOOK_DATA=str(data))
        lines = listed.stdout.splitlines()
        assert [line.split()[0] for line in lines] == [kid, kid_of(former)]
        assert lines[0].endswith("until -")
        assert not lines[1].endswith("until -")
        assert stat.S_IMODE((data / "signing.pem").stat().st_mode) == 0o600
        assert "PRIVATE" not in done.stdout + listed.stdout + output.read_text()


def test_keys_of_the_setting_are_not_rotated_but_listed() -> None:
    two = "\n".join([KEYS["ROLLBOOK_SIGNING_KEY"], KEYS["ROLLBOOK_SIGNING_KEY"]])
    with a_folder() as data:
        refused = rollbook("keys", "rotate", ROLLBOOK_DATA=str(data), ROLLBOOK_SIGNING_KEY=two)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("rollbook: ROLLBOOK_SIGNING_KEY: is set;")
        listed = rollbook("keys", "list", ROLLBOOK_DATA=str(data), ROLLBOOK_SIGNING_KEY=two)
        assert [line.split()[1:] for line in listed.stdout.splitlines()] == [["created", "-", "until", "-"]] * 2
        assert rollbook("keys", "list", ROLLBOOK_DATA=str(data)).returncode == 1
