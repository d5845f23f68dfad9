"""Content negotiation: the headers `Accept` (406) and `Content-Type` (415; rulings D1 and D19)."""

from starlette.datastructures import Headers

from api.edge.errors import NotAcceptable, UnsupportedMediaType
from api.edge.kinds import AnswerKind, BodyKind

JSON_API = "application/vnd.api+json"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
HTML = "text/html"
JSON_API_PARAMETERS = frozenset({"ext", "profile"})
ORDINARY = frozenset({"", "*/*", JSON, JSON_API})
"""The values that nearly all clients send. Other values are not cached: they may be long, and different every time."""
MAX_RANGES = 100


def check_accept(headers: Headers, kind: AnswerKind = AnswerKind.DOCUMENT) -> None:
    """Raise NotAcceptable when the client does not accept the media type of answers of this kind."""
    if kind is AnswerKind.REDIRECT:
        return
    accept = ", ".join(headers.getlist("accept"))
    if kind is AnswerKind.PAGE:
        if accept and not _acceptable(accept, HTML):
            raise NotAcceptable("The answer is text/html, which the Accept header excludes.")
    elif accept not in ORDINARY and not _acceptable(accept, JSON, JSON_API):
        raise NotAcceptable


def check_content_type(headers: Headers, kind: BodyKind = BodyKind.JSON) -> None:
    """Raise UnsupportedMediaType when there is a body of another kind. A stream may have any media type."""
    if kind is not BodyKind.STREAM and has_body(headers):
        content_type = headers.get("content-type", "")
        if kind is BodyKind.FORM:
            if _parsed(content_type)[0] != FORM:
                raise UnsupportedMediaType(f"The body must be {FORM}.")
        elif content_type not in {JSON, JSON_API} and not _readable(content_type):
            raise UnsupportedMediaType


def has_body(headers: Headers) -> bool:
    """Return whether the request has a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _acceptable(accept: str, *names: str) -> bool:
    """Return whether a media type has a weight above zero in its most specific range, of the first MAX_RANGES."""
    weights: dict[str, tuple[int, float]] = dict.fromkeys(names, (-1, 0.0))
    for item in accept.split(",", MAX_RANGES)[:MAX_RANGES]:
        media_range, parameters = _parsed(item)
        if media_range == JSON_API and not parameters.keys() - {"q"} <= JSON_API_PARAMETERS:
            continue
        for name in weights:
            if (specificity := _specificity(media_range, name)) > weights[name][0]:
                weights[name] = (specificity, _weight(parameters.get("q", "1")))
    return any(weight > 0 for _, weight in weights.values())


def _readable(content_type: str) -> bool:
    media_type, parameters = _parsed(content_type)
    if media_type == JSON_API:
        return parameters.keys() <= JSON_API_PARAMETERS
    return media_type == JSON and {name: value.lower() for name, value in parameters.items()} in (
        {},
        {"charset": "utf-8"},
    )


def _specificity(media_range: str, name: str) -> int:
    return {"*/*": 0, f"{name.partition('/')[0]}/*": 1, name: 2}.get(media_range, -1)


def _parsed(item: str) -> tuple[str, dict[str, str]]:
    media_type, *parameters = item.split(";")
    pairs = (parameter.partition("=") for parameter in parameters if parameter.strip())
    return media_type.strip().lower(), {name.strip().lower(): value.strip(' \t"') for name, _, value in pairs}


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
