"""Runs one server and ends it when nobody uses it any more.

A script of its own, standard library only, started with `python -I -S`: it lives beside the server for as long as the
server does, so it must be small, and it must outlive whoever started it.

Two lock files in the server's folder say who is there, and the kernel gives the locks up however a process ends:
each user holds `users.lock` shared: whoever gets it exclusively knows that nobody uses the server; the server and all
its children inherit a shared hold of `server.lock`: whoever gets that one exclusively knows that all have ended.
"""

import argparse
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

PR_SET_PDEATHSIG = 1
PATIENCE = 3.0  # seconds for an orderly stop; SIGQUIT then makes Postgres stop at once, which its log survives


def arguments() -> argparse.Namespace:
    """What to run, as whom, and whose lock says that it is still used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the server's folder")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--stop-signal", type=int, required=True)
    parser.add_argument("--discard", action="store_true", help="remove the folder with the last user")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def start(options: argparse.Namespace) -> "subprocess.Popen[bytes]":
    """The server, as a child that is told to stop when this guard is killed."""
    guard = os.getpid()
    presence = os.open(options.home / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(presence, fcntl.LOCK_SH)
    library = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_the_guard() -> None:
        # runs after the change of user, which would clear the setting
        if library is not None:
            library.prctl(PR_SET_PDEATHSIG, options.stop_signal)
            if os.getppid() != guard:
                os._exit(1)

    as_account = {} if options.uid is None else {"user": options.uid, "group": options.gid, "extra_groups": []}
    command = options.command
    return subprocess.Popen(command, preexec_fn=die_with_the_guard, pass_fds=[presence], **as_account)  # noqa: S603, PLW1509


def main() -> None:
    """Ends with the server, the users or SIGTERM, whichever comes first; the server never outlives it."""
    options = arguments()
    users = os.open(options.home / "users.lock", os.O_RDWR)
    server = start(options)
    unused = threading.Event()

    def stop(*_: object) -> None:
        server.send_signal(options.stop_signal)
        impatient = threading.Timer(PATIENCE, server.send_signal, [signal.SIGQUIT])
        impatient.daemon = True
        impatient.start()

    def stop_when_unused() -> None:
        fcntl.flock(users, fcntl.LOCK_EX)
        unused.set()
        stop()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=stop_when_unused, daemon=True).start()
    code = server.wait()
    if options.discard and unused.is_set():
        with contextlib.suppress(OSError):
            shutil.rmtree(options.home)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
