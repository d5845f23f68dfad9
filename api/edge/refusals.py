"""Refusals as the caller of an operation reads them: a document, an answer of RFC 6749, or a page (ruling L14).

Of an operation that takes a form, as those of OAuth do, refusals are what RFC 6749 says. Of one that a person opens in
a browser they are a page when `Accept` names text/html. All others are the contract's errors document.
"""

from html import escape

import psycopg
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.edge.envelope import rendered
from api.edge.errors import refusal_of
from api.edge.kinds import AnswerKind, BodyKind
from api.edge.middleware import REQUEST_ID
from domain.core.errors import DomainError

RFC_6749_CODES = frozenset({
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope",
})  # fmt: skip
"""Section 5.2."""
BY_STATUS = {401: "invalid_client", 429: "temporarily_unavailable", 503: "temporarily_unavailable"}
"""The codes of refusals that have none of RFC 6749; any other is an `invalid_request`."""
CONTENT_SECURITY_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{detail}</p>
<p>Status {status}, code <code>{code}</code>, request <code>{request_id}</code></p>
</main>
</body>
</html>
"""


def refusal_for(
    request: Request, error: DomainError | psycopg.OperationalError, body: BodyKind, answer: AnswerKind
) -> Response:
    """Return the answer to a refused request of an operation of these kinds."""
    document = refusal_of(error)
    code, detail = (error.code, str(error)) if isinstance(error, DomainError) else ("unavailable", "Try again.")
    kept = {name: value for name, value in document.headers.items() if name not in {"content-length", "content-type"}}
    if body is BodyKind.FORM:
        named = code if code in RFC_6749_CODES else BY_STATUS.get(document.status_code, "invalid_request")
        told = rendered({"error": named, "error_description": _ascii(detail)})
        return Response(told, document.status_code, kept, "application/json")
    if answer in {AnswerKind.PAGE, AnswerKind.REDIRECT} and "text/html" in request.headers.get("accept", "").lower():
        page = _PAGE.format(
            title="This did not work",
            detail=escape(detail),
            status=document.status_code,
            code=escape(code),
            request_id=escape(str(request.scope.get(REQUEST_ID, ""))),
        )
        return HTMLResponse(page, document.status_code, kept | {"Content-Security-Policy": CONTENT_SECURITY_POLICY})
    return document


def _ascii(text: str) -> str:
    """Return the text without what RFC 6749 does not allow in a description (section 5.2)."""
    return "".join(each for each in text if " " <= each <= "~" and each not in '"\\')
