"""10. How many access tokens per second does /v1/authenticate check, known ones and new ones?"""

from datetime import UTC, datetime, timedelta

from adapters.security.signing_keys import signing_keys
from adapters.security.tokens import Tokens
from bench import limits
from bench.bench import Bench, Serving
from bench.cluster import SERVICE
from bench.figures import Figure, Limit, milliseconds
from bench.http import request

CLIENTS = (1, 8)
NEW_TOKENS = 4_000
"""Each signature of these is verified once; a process remembers the tokens that it has verified."""
PATH = "/v1/authenticate/"


async def measure(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    known = [request("POST", PATH, await bench.token(), {})]
    async with bench.serving() as serving:
        for clients in CLIENTS:
            bare = await limits.bare_requests(bench, clients)
            beside = [await limits.selects(bench, clients), limits.rate_of(bare, clients)]
            figures.append(await _checked(serving, "a known token", known, clients, beside))
            new = [request("POST", PATH, token, {}) for token in await _new_tokens(bench, clients)]
            figures.append(await _checked(serving, "new tokens", new, clients, beside, once=True))
    return figures


async def _checked(
    serving: Serving, name: str, requests: list[bytes], clients: int, beside: list[Limit], *, once: bool = False
) -> Figure:
    run, processor = await serving.load(requests, clients=clients, status=201, once=once)
    more = milliseconds(run.latencies) | processor
    return Figure(f"authenticate {name}, {clients} at a time", run.rate, "tokens/s", beside, more=more)


async def _new_tokens(bench: Bench, run: int) -> list[str]:
    """Return tokens of one session, all different, and different from those of other runs."""
    signer = Tokens(signing_keys(bench.settings), bench.settings.issuer, bench.settings.audience)
    session_id = signer.verify(await bench.token()).session_id
    until = datetime.now(UTC) + timedelta(hours=1)
    return [
        signer.access_token(SERVICE.user_id, session_id, None, until, further={"number": f"{run}-{number}"})
        for number in range(NEW_TOKENS)
    ]
