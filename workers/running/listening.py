"""The socket that API processes accept connections on."""

import os
import socket

BACKLOG = 2048


class PortTakenError(Exception):
    """The API cannot listen; the text says where and why."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket for the API. Raises PortTakenError when the address is in use or not available."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server((str(address[0]), port), family=family, backlog=BACKLOG)
    except OSError as error:
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror or error  # below 0: the name cannot be resolved
        raise PortTakenError(
            f"cannot listen on {host} port {port} ({reason}): choose others by ROLLBOOK_HOST and ROLLBOOK_PORT"
        ) from None
