"""What a part inherits from its supervisor: a pipe that closes when the supervisor ends, and the listening socket."""

import os
import signal
import socket
import threading

LIFELINE = "ROLLBOOK_LIFELINE"
LISTENING = "ROLLBOOK_LISTENING"
PATIENCE = 3.0  # seconds for an orderly end; it must take less than 5 s, because the next supervisor waits for it


def supervised() -> bool:
    """Return whether a supervisor started this part. Call it before `hold_lifeline`."""
    return LIFELINE in os.environ


def hold_lifeline() -> None:
    """End this process when its supervisor has ended, even by SIGKILL. Without a supervisor, do nothing."""
    descriptor = os.environ.pop(LIFELINE, None)
    if descriptor is not None:
        threading.Thread(target=_end_with, args=(int(descriptor),), daemon=True, name="lifeline").start()


def inherited_socket() -> socket.socket | None:
    """Return the supervisor's listening socket, if any. It keeps clients waiting while an API process restarts."""
    descriptor = os.environ.pop(LISTENING, None)
    return None if descriptor is None else socket.socket(fileno=int(descriptor))


def _end_with(descriptor: int) -> None:
    while os.read(descriptor, 1):  # the supervisor never writes: this returns when it has ended
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(PATIENCE)
    os._exit(1)  # otherwise this process would hold the port and the leases
