"""The demo as its users run it: a server of its own, the whole story, nothing left behind."""

import subprocess
from pathlib import Path

import pytest

from adapters.embedded.account import SYSTEM_FOLDER
from tests.support.processes import processes
from tests.support.running import ROLLBOOK, rollbook

pytestmark = pytest.mark.slow


def left() -> set[Path]:
    return set(SYSTEM_FOLDER.glob("rollbook-demo-*"))


def test_the_demo_names_gains_and_losses_of_a_move() -> None:
    before_it = left()
    told = subprocess.run([*ROLLBOOK, "demo"], check=True, capture_output=True, text=True, timeout=120).stdout
    before, _, after = told.partition("after the move")
    assert "Cleo  yes" in before
    assert "Dora  no" in before
    assert "Cleo  no" in after
    assert "Dora  yes" in after
    assert "The log of Diabetes" in after
    assert "AuthorizationProjection" in after
    assert not processes("rollbook-demo-")
    assert left() == before_it


def test_the_demo_reports_a_missing_server_in_one_line() -> None:
    for url in ("http://127.0.0.1:1", "nonsense"):
        done = rollbook("demo", "--url", url, ROLLBOOK_ADMIN_EMAIL="ann@rollbook.test", ROLLBOOK_ADMIN_PASSWORD="x")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith(f"rollbook: {url} does not answer: ")
