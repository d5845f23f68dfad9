"""What stands in a log line, and what never does."""

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import logging, traceback, structlog
from adapters.logging import configure_logging

configure_logging()
ours, theirs = structlog.get_logger(), logging.getLogger("library")

def fail():
    raise ValueError("ann@rollbook.test\\nis her address")

structlog.contextvars.bind_contextvars(request_id="r-1")
try:
    fail()
except ValueError as error:
    {call}
"""


def logged(call: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(call=call)], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line))


@pytest.mark.parametrize(
    "call",
    [
        'ours.exception("failed")',
        'ours.error("failed", exc_info=error)',
        'theirs.exception("failed")',
        'theirs.error("failed", exc_info=error)',
        "theirs.error(traceback.format_exc())",  # uvicorn's way
    ],
)
def test_of_an_exception_its_kind_and_place_are_told_and_not_its_text(call: str) -> None:
    line = logged(call)
    assert line["event"] == "failed"
    assert line["level"] == "error"
    assert line["request_id"] == "r-1"
    assert line["error"].endswith("ValueError")
    assert [place.rpartition(":")[0] for place in line["at"]] == ["<string>", "<string>"]
    assert "ann" not in str(line)


def test_a_line_is_one_json_object_with_the_time_and_what_was_said() -> None:
    line = logged('ours.warning("heard\\nof", about="it")')
    assert (line["event"], line["about"], line["level"]) == ("heard\nof", "it", "warning")
    assert line["timestamp"].endswith("Z")
