"""Runs one server and ends it when no process uses it any more.

This is a script of its own, started with `python -I -S`, that uses only the standard library. It runs as long as the
server, so it must be small, and it must outlive the process that started it.

There are two lock files in the server's folder. The kernel releases the locks however a process ends.
- Each process that uses the server holds `users.lock` shared. A process that gets it exclusively knows that no process
  uses the server.
- The server and its children inherit a shared lock of `server.lock`. A process that gets it exclusively knows that
  they all have ended.
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
PATIENCE = 3.0  # seconds for an orderly stop; then SIGQUIT stops Postgres at once, which replays its log at the start


def arguments() -> argparse.Namespace:
    """Return the command to run, its user and its folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the server's folder")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--stop-signal", type=int, required=True)
    parser.add_argument("--discard", action="store_true", help="remove the folder when the last user ends")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def start(options: argparse.Namespace) -> "subprocess.Popen[bytes]":
    """Start the server as a child that gets the stop signal when this guard is killed."""
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
    """Run the server until it ends, its last user ends or SIGTERM arrives. The server never outlives this process."""
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
