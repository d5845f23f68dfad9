"""New ids."""

from uuid import UUID, uuid4


def new_id() -> UUID:
    """Return a random id, which nothing has yet."""
    return uuid4()
