"""`Prefer: return=minimal` on commands (RFC 7240): the answer without a representation, and without waiting for one."""

from urllib.request import parse_http_list

from starlette.datastructures import Headers
from starlette.responses import Response

from api.edge.envelope import answer, no_content

PREFER = "Prefer"
PREFER_PARAMETER = {
    "name": PREFER,
    "in": "header",
    "schema": {"type": "string"},
    "description": "RFC 7240. `return=minimal`: the answer is its status, `X-Position`, `Preference-Applied:"
    " return=minimal` and `null` (nothing for 204), as soon as the command is recorded. Others are ignored.",
    "x-extension": True,
}
"""How the OpenAPI document describes the header."""


def prefers_minimal(headers: Headers) -> bool:
    """Whether the client wants no representation (RFC 7240, section 4.2).

    Of a preference that is given twice the first counts (section 2); other preferences and parameters are ignored.
    """
    if PREFER not in headers:
        return False
    for each in parse_http_list(", ".join(headers.getlist(PREFER))):
        name, _, value = each.partition(";")[0].partition("=")
        if name.strip().lower() == "return":
            return value.strip().strip('"') == "minimal"
    return False


def minimal(status: int, position: int) -> Response:
    """The answer to a command whose client wants no representation: `null`, and nothing at all for 204."""
    response = no_content(position=position) if status == 204 else answer(None, status, position=position)
    response.headers["Preference-Applied"] = "return=minimal"
    return response
