"""The program of the process that scores passwords; run by its path, alone, by `adapters.security.password_scorer`.

A line of input is a JSON array: the password, then words that an attacker knows of the user. A line of output is the
score. Input that ends, because the parent has, ends the program.
"""

import json
import signal
import sys
from types import FrameType

from zxcvbn import zxcvbn

MAX_SECONDS = 0.2
"""Of processor time for one password (ruling O8): a busy machine must not make good passwords weak."""


class TooLongError(Exception):
    """The password cannot be judged in the time."""


def score(password: str, about: list[str]) -> int:
    """Return 0 (guessed at once) to 4; 0 when it takes too long to tell."""
    words = [part for word in about for part in (word, *word.split("@"))]
    signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS)
    try:
        return int(zxcvbn(password, user_inputs=words)["score"])
    except TooLongError:
        return 0
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _give_up(_: int, __: FrameType | None) -> None:
    raise TooLongError


def main() -> None:
    """Answer until there is nothing more to read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    signal.signal(signal.SIGVTALRM, _give_up)
    for line in sys.stdin:
        password, *about = json.loads(line)
        sys.stdout.write(f"{score(password, about)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
