"""The forms of refusals: the contract's errors document, an error answer of RFC 6749, or a page (ruling L14).

An operation that takes a form, as those of OAuth do, answers refusals as RFC 6749 requires. An operation that a person
opens in a browser answers with a page if `Accept` names text/html. All others answer with the errors document.
"""

from html import escape

import psycopg
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.edge.envelope import rendered
from api.edge.errors import refusal_of
from api.edge.kinds import AnswerKind, BodyKind
from api.edge.middleware import REQUEST_ID
from api.edge.pages import page
from domain.core.errors import DomainError

RFC_6749_CODES = frozenset({
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope",
})  # fmt: skip
"""Section 5.2."""
BY_STATUS = {401: "invalid_client", 429: "temporarily_unavailable", 503: "temporarily_unavailable"}
"""The codes of RFC 6749 for refusals with other codes, by status; for all other statuses `invalid_request`."""
CONTENT_SECURITY_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
TITLE = "The request failed"
_BODY = """<main>
<h1>{title}</h1>
<p>{detail}</p>
<p>Status {status}, code <code>{code}</code>, request <code>{request_id}</code></p>
</main>
"""


def refusal_for(
    request: Request, error: DomainError | psycopg.OperationalError, body: BodyKind, answer: AnswerKind
) -> Response:
    """Return the answer to a refused request of an operation with this kind of body and answer."""
    document = refusal_of(error)
    code, detail = (error.code, str(error)) if isinstance(error, DomainError) else ("unavailable", "Try again.")
    headers = {
        name: value for name, value in document.headers.items() if name not in {"content-length", "content-type"}
    }
    if body is BodyKind.FORM:
        oauth_code = code if code in RFC_6749_CODES else BY_STATUS.get(document.status_code, "invalid_request")
        content = rendered({"error": oauth_code, "error_description": _ascii(detail)})
        return Response(content, document.status_code, headers, "application/json")
    if answer in {AnswerKind.PAGE, AnswerKind.REDIRECT} and "text/html" in request.headers.get("accept", "").lower():
        shown = _BODY.format(
            title=TITLE,
            detail=escape(detail),
            status=document.status_code,
            code=escape(code),
            request_id=escape(str(request.scope.get(REQUEST_ID, ""))),
        )
        return HTMLResponse(
            page(TITLE, shown), document.status_code, headers | {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        )
    return document


def _ascii(text: str) -> str:
    """Return the text without the characters that RFC 6749 forbids in a description (section 5.2)."""
    return "".join(character for character in text if " " <= character <= "~" and character not in '"\\')
