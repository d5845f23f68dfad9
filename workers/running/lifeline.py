"""What a supervisor gives its parts: a pipe that tells them of its end, a claim on the folder, the listening socket."""

import os
import signal
import socket
import threading

LIFELINE = "ROLLBOOK_LIFELINE"
LISTENING = "ROLLBOOK_LISTENING"
PATIENCE = 3.0  # seconds for an orderly end; the whole must take less than 5 s, because the next start waits for it


def supervised() -> bool:
    """Whether a supervisor started this part; asked before the lifeline is held."""
    return LIFELINE in os.environ


def hold_lifeline() -> None:
    """End this process when the supervisor has ended, however it did; does nothing in a part started by itself."""
    descriptor = os.environ.pop(LIFELINE, None)
    if descriptor is not None:
        threading.Thread(target=_end_with, args=(int(descriptor),), daemon=True, name="lifeline").start()


def inherited_socket() -> socket.socket | None:
    """The listening socket that the supervisor opened, so that connections wait while an API process restarts."""
    descriptor = os.environ.pop(LISTENING, None)
    return None if descriptor is None else socket.socket(fileno=int(descriptor))


def _end_with(descriptor: int) -> None:
    while os.read(descriptor, 1):  # nothing is ever written: this returns when the last writer has ended
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(PATIENCE)
    os._exit(1)  # it would keep the port and the leases from the next start
