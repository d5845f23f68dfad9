"""What is logged: one JSON object a line, never what an error or a library quotes."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, gc, logging, structlog, traceback
from adapters.logging import configure_logging

def main():
    configure_logging("info")
    try:
        raise ValueError("a secret")
    except ValueError as error:
        {call}

async def forgotten_task():
    async def fails():
        raise ValueError("a secret")
    task = asyncio.create_task(fails())
    await asyncio.sleep(0.01)
    del task
    gc.collect()

async def failing_callback():
    asyncio.get_running_loop().call_soon(lambda value: value / 0, "a secret")
    await asyncio.sleep(0.01)

main()
"""


def logged(call: str) -> dict[str, object]:
    """The only line that a process of its own logs; the settings of logging are those of a process."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(call=call)], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    line: dict[str, object] = json.loads(done.stdout)
    assert "secret" not in done.stdout
    return line


@pytest.mark.parametrize(
    "call",
    [
        'structlog.get_logger().exception("failed")',
        'structlog.get_logger().error("failed", exc_info=error)',
        'logging.getLogger("library").exception("failed")',
        'logging.getLogger("library").warning("failed", exc_info=error)',
        'logging.getLogger("library").error(traceback.format_exc())',  # uvicorn's way
    ],
)
def test_an_exception_is_logged_with_class_and_place(call: str) -> None:
    line = logged(call)
    assert line["event"] == "failed"
    assert str(line["error"]).endswith("ValueError")
    assert line["at"] == ["<string>:8"]
    assert {"level", "timestamp"} <= line.keys()


def test_a_log_line_is_a_json_object_with_its_time() -> None:
    line = logged('structlog.get_logger().warning("heard\\nof", about="it")')
    assert (line["event"], line["about"], line["level"]) == ("heard\nof", "it", "warning")
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize(
    ("call", "event"),
    [
        ('logging.getLogger("library").warning("failed: %s", error)', "failed: builtins.ValueError"),
        ('logging.getLogger("library").error(error)', "builtins.ValueError"),
        ("asyncio.run(forgotten_task())", "Task exception was never retrieved"),
        ("asyncio.run(failing_callback())", "Exception in callback failing_callback."),
        ("import uvloop; uvloop.run(forgotten_task())", "Task exception was never retrieved"),
        ("import uvloop; uvloop.run(failing_callback())", "Exception in callback"),
    ],
)
def test_messages_of_libraries_quote_nothing(call: str, event: str) -> None:
    assert logged(call)["event"] == event
