"""The kinds of bodies and answers that routes declare (architecture 8)."""

from enum import Enum, auto


class BodyKind(Enum):
    """The kind of a request's body."""

    JSON = auto()
    """One document; the endpoint declares its model."""
    FORM = auto()
    """Fields of `application/x-www-form-urlencoded`; the endpoint declares a model with their names."""
    STREAM = auto()
    """A file of any media type; the endpoint declares `UploadDep`. The file is never in memory as a whole."""


class AnswerKind(Enum):
    """The kind of an endpoint's answer. Refusals are rendered accordingly (see `api.edge.refusals`)."""

    DOCUMENT = auto()
    PAGE = auto()
    """HTML."""
    REDIRECT = auto()
    """A redirect of a browser to another URL."""
    NOTHING = auto()
