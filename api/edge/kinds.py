"""What an operation takes and what it answers with, as its route declares it (architecture 8)."""

from enum import Enum, auto


class BodyKind(Enum):
    """What a request carries."""

    JSON = auto()
    """One document, which the endpoint asks for by its model."""
    FORM = auto()
    """Fields of `application/x-www-form-urlencoded`, which the endpoint asks for by a model with their names."""
    STREAM = auto()
    """A file of any media type, which the endpoint asks for as `UploadDep`; it is never in memory as a whole."""


class AnswerKind(Enum):
    """What the endpoint returns; refusals are rendered accordingly (see `api.edge.refusals`)."""

    DOCUMENT = auto()
    PAGE = auto()
    """HTML."""
    REDIRECT = auto()
    """To another address, for a browser."""
    NOTHING = auto()
