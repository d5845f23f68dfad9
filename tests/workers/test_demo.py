"""The demo as its users run it: a server of its own, the whole story, nothing left behind."""

import subprocess
import sys
from pathlib import Path

from tests.support.processes import processes


def test_the_demo_tells_who_gains_and_who_loses_by_a_move() -> None:
    rollbook = Path(sys.executable).with_name("rollbook")
    told = subprocess.run([rollbook, "demo"], check=True, capture_output=True, text=True, timeout=120).stdout
    before, _, after = told.partition("after the move")
    assert "Cleo  yes" in before
    assert "Dora  no" in before
    assert "Cleo  no" in after
    assert "Dora  yes" in after
    assert "The log of Diabetes" in after
    assert "AuthorizationProjection" in after
    assert not processes("rollbook-demo-")
