"""A program in a process of its own answers, or is ended; whoever asks is never left waiting."""

import subprocess
from pathlib import Path

from adapters.child_program import ChildProgram

ECHO = "import sys\nfor line in sys.stdin:\n    print(line.strip(), flush=True)\n"


class ClosedMeanwhile(ChildProgram):
    """Is closed by another thread just before the line is written."""

    def _running(self) -> "subprocess.Popen[bytes] | None":
        process = super()._running()
        self.close()
        return process


def test_a_program_answers_line_by_line(tmp_path: Path) -> None:
    program = ChildProgram(_echo(tmp_path))
    assert [program.answer(b"one"), program.answer(b"two")] == [b"one\n", b"two\n"]
    program.close()
    assert program.answer(b"three") == b""


def test_a_program_that_is_closed_while_it_is_asked_gives_no_answer(tmp_path: Path) -> None:
    assert ClosedMeanwhile(_echo(tmp_path)).answer(b"one") == b""


def _echo(folder: Path) -> Path:
    program = folder / "echo.py"
    program.write_text(ECHO)
    return program
