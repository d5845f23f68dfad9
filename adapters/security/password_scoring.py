"""The program of the process that scores passwords. `adapters.security.password_scorer` runs it by its path.

A line of input is a JSON array: the password, then words that an attacker knows about the user. A line of output is a
JSON array: the score, then a list of suggestions. The program ends when its input ends, because its parent has ended.
"""

import json
import signal
import sys
from types import FrameType

from zxcvbn import zxcvbn

MAX_SECONDS = 0.2
"""Processor time for one password (ruling O8). Elapsed time would make good passwords weak on a busy machine."""


class TooLongError(Exception):
    """Scoring the password takes more than MAX_SECONDS."""


def rate(password: str, about: list[str]) -> tuple[int, list[str]]:
    """Return a score from 0 (guessed at once) to 4 with suggestions; 0 if scoring takes too long."""
    words = [part for word in about for part in (word, *word.split("@"))]
    signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS)
    try:
        judged = zxcvbn(password, user_inputs=words)
        return int(judged["score"]), list(judged["feedback"]["suggestions"])
    except TooLongError:
        return 0, []
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _give_up(_: int, __: FrameType | None) -> None:
    raise TooLongError


def main() -> None:
    """Score each line of input until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    signal.signal(signal.SIGVTALRM, _give_up)
    for line in sys.stdin:
        password, *about = json.loads(line)
        sys.stdout.write(json.dumps(rate(password, about)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
