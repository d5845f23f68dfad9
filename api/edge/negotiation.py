"""What the client can read and what it sent: `Accept` (406) and `Content-Type` (415; rulings D1 and D19)."""

from starlette.datastructures import Headers

from api.edge.errors import NotAcceptable, UnsupportedMediaType

JSON_API = "application/vnd.api+json"
JSON = "application/json"
JSON_API_PARAMETERS = frozenset({"ext", "profile"})
ORDINARY = frozenset({"", "*/*", JSON, JSON_API})
"""What nearly all clients send. Nothing that a client sends is remembered: it may be long, and always another."""
MAX_RANGES = 100


def check_accept(headers: Headers) -> None:
    """Nothing when the client takes one of our media types. Raises NotAcceptable."""
    accept = ", ".join(headers.getlist("accept"))
    if accept not in ORDINARY and not _acceptable(accept):
        raise NotAcceptable


def check_content_type(headers: Headers) -> None:
    """Nothing when there is no body or a JSON one. Raises UnsupportedMediaType."""
    if has_body(headers):
        content_type = headers.get("content-type", "")
        if content_type not in {JSON, JSON_API} and not _readable(content_type):
            raise UnsupportedMediaType


def has_body(headers: Headers) -> bool:
    """Whether a body follows."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _acceptable(accept: str) -> bool:
    """Whether JSON or JSON:API has a weight above zero in its most specific range, of at most MAX_RANGES."""
    weights: dict[str, tuple[int, float]] = {JSON: (-1, 0.0), JSON_API: (-1, 0.0)}
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
    return {"*/*": 0, "application/*": 1, name: 2}.get(media_range, -1)


def _parsed(item: str) -> tuple[str, dict[str, str]]:
    media_type, *parameters = item.split(";")
    pairs = (parameter.partition("=") for parameter in parameters if parameter.strip())
    return media_type.strip().lower(), {name.strip().lower(): value.strip(' \t"') for name, _, value in pairs}


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
