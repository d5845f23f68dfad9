"""`Prefer: return=minimal` on commands (RFC 7240): an answer without a representation, and without waiting for one."""

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
"""The description of the header in the OpenAPI document."""


def prefers_minimal(headers: Headers) -> bool:
    """Return whether the client prefers an answer without a representation (RFC 7240, section 4.2).

    If a preference occurs twice, the first one counts (section 2). Other preferences and parameters are ignored.
    """
    if PREFER not in headers:
        return False
    for preference in parse_http_list(", ".join(headers.getlist(PREFER))):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "return":
            return value.strip().strip('"') == "minimal"
    return False


def minimal(status: int, position: int) -> Response:
    """Return the answer without a representation: `null`, or no body for 204."""
    response = no_content(position=position) if status == 204 else answer(None, status, position=position)
    response.headers["Preference-Applied"] = "return=minimal"
    return response
