"""What a model says of wrong words, as the edge will read it."""

from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

ANN = "0d0c2f1e-5b6a-4d5c-8f5e-00000000000a"
BOB = "0d0c2f1e-5b6a-4d5c-8f5e-00000000000b"


def complaints(kind: Any, value: Any) -> list[tuple[str, str]]:
    """(JSON pointer, error type) of each violation; none when the value is taken."""
    try:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind.model_validate(value)
        else:
            TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        return [
            ("".join(f"/{part}" for part in violation["loc"]), violation["type"])
            for violation in error.errors(include_input=False)
        ]
    return []


def in_envelope(resource_type: str, attributes: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"data": {"type": resource_type, "attributes": attributes, **data}}
