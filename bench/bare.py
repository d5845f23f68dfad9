"""The limit of an HTTP server in Python: a bare ASGI route on the same uvicorn. `python -m bench.bare PORT`."""

import sys
from typing import Any

import uvicorn
import uvloop

ANSWER = b'{"allow": true}'
HEADERS = [(b"content-type", b"application/vnd.api+json"), (b"content-length", str(len(ANSWER)).encode())]


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the body and send the same answer to every request."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 201, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


def main() -> None:
    port = int(sys.argv[1])
    config = uvicorn.Config(
        application, port=port, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_config=None
    )
    uvloop.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
