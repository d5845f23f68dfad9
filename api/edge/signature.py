"""The signature of an endpoint, and how its arguments are read from a request."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, Protocol, get_args, get_origin

from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from starlette.requests import Request
from starlette.responses import Response

from api.documents.common import EmptyBody, kebab
from api.documents.envelope import JsonApiRequest
from api.documents.parameters import NoParameters, Parameters
from api.edge.bodies import parsed_body, parsed_form
from api.edge.caller import authenticate, caller
from api.edge.errors import several, violations
from domain.core.errors import DomainError, Invalid, InvalidParameter

Endpoint = Callable[..., Awaitable[Response]]


class Parameter(Protocol):
    """A parameter in the signature of an endpoint, as FastAPI describes it."""

    name: str
    field_info: FieldInfo


class Signature:
    """The arguments that an endpoint declares. It reads them from requests."""

    def __init__(self, route: APIRoute, *, form: bool) -> None:
        dependant = route.dependant
        self.endpoint: Endpoint = route.endpoint
        self.principal_name = ""
        """The name of the argument that takes the principal; "" if there is none."""
        self.looks_up_session = False
        """Whether the endpoint takes the caller and looks up their session itself."""
        self.dependencies: list[tuple[str, Callable[[Request], Awaitable[Any]]]] = []
        for dependency in dependant.dependencies:
            assert dependency.call is not None
            if dependency.call is authenticate:
                self.principal_name = dependency.name or ""
            else:
                assert dependency.request_param_name, f"{route.path}: {dependency.name} must ask for the request alone"
                self.looks_up_session = self.looks_up_session or dependency.call is caller
                self.dependencies.append((dependency.name or "", dependency.call))
        assert len(dependant.query_params) <= 1, f"{route.path}: one model for the query string"
        assert len(dependant.body_params) <= 1, f"{route.path}: one model for the body"
        self._path = [(field.name, field.alias, _adapter(field)) for field in dependant.path_params]
        self._query_field = dependant.query_params[0] if dependant.query_params else None
        self._query = _query_model(self._query_field)
        self._single = self._query.single()
        self._arrays = {field.alias or name for name, field in self._query.model_fields.items()} - self._single
        self._body_field = dependant.body_params[0] if dependant.body_params else None
        self._body = TypeAdapter[Any](EmptyBody) if self._body_field is None else _adapter(self._body_field)
        self._body_required = self._body_field is not None and self._body_field.field_info.is_required()
        self._form = form
        self._objects: set[str] = set()
        """Arguments that are any JSON object: the names in it are the client's own."""
        self._locations = dict(self._argument_locations())

    def _argument_locations(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """Yield the Python name and the location of each argument in a request: ("pointer" or "parameter", path)."""
        if self._body_field is not None:
            model: Any = self._body_field.field_info.annotation
            prefix = ""
            if isinstance(model, type) and issubclass(model, JsonApiRequest):
                data: Any = model.model_fields["data"].annotation
                model, prefix = data.model_fields["attributes"].annotation, "/data/attributes"
            elif list(getattr(model, "model_fields", ())) == ["data"]:
                model, prefix = model.model_fields["data"].annotation, "/data"
            for name, field in getattr(model, "model_fields", {}).items():
                if dict in [get_origin(choice) for choice in (field.annotation, *get_args(field.annotation))]:
                    self._objects.add(name)
                yield name, ("pointer", f"{prefix}/{field.alias or kebab(name)}")
        for name, field in self._query.model_fields.items():
            yield name, ("parameter", field.alias or kebab(name))
        for name, alias, _ in self._path:
            yield name, ("parameter", alias)

    def locate(self, error: DomainError) -> None:
        """Set the location in the request of the arguments that the refusals are about."""
        for refusal in (error, *error.others):
            if refusal.argument is not None and refusal.parameter is refusal.pointer is None:
                name, *parts = refusal.argument.split("/")
                kind, location = self._locations.get(name, ("", ""))
                if kind:
                    named = parts if name in self._objects else map(kebab, parts)
                    setattr(refusal, kind, "/".join([location, *named]))

    def read_parameters(self, request: Request) -> dict[str, Any]:
        """Return the arguments from the path and the query string. Raises InvalidParameter for each violation."""
        if not self._path and self._query_field is None and not request.scope["query_string"]:
            return {}
        arguments: dict[str, Any] = {}
        problems: list[DomainError] = []
        for name, alias, adapter in self._path:
            try:
                arguments[name] = adapter.validate_python(request.path_params[alias])
            except ValidationError as error:
                problems += violations(error, "path", [alias])
        parameters, repeated = self._query_parameters(request)
        problems += [InvalidParameter("The parameter may occur only once.", parameter=name) for name in repeated]
        try:
            query = self._query.model_validate(parameters)
        except ValidationError as error:
            problems += violations(error, "query")
        else:
            if self._query_field is not None:
                arguments[self._query_field.name] = query
        if problems:
            raise several(problems)
        return arguments

    def read_body(self, request: Request, sent: bytes) -> dict[str, Any]:
        """Return the argument from the body. Raises Invalid, TypeConflict, IdConflict, ClientIdNotAllowed."""
        if not sent and not self._body_required:
            return {} if self._body_field is None else {self._body_field.name: self._body_field.get_default()}
        value = parsed_form(sent) if self._form else parsed_body(sent)
        if not isinstance(value, dict):
            raise Invalid("The body must be a JSON object.", pointer="")
        try:
            body = self._body.validate_python(value)
        except ValidationError as error:
            raise several(violations(error, "body")) from None
        if isinstance(body, JsonApiRequest):
            body.verify(request.path_params.get("id"))
        return {} if self._body_field is None else {self._body_field.name: body}

    def _query_parameters(self, request: Request) -> tuple[dict[str, Any], list[str]]:
        """Return the parameters of the query string, and the names that occur in it more than once (ruling D2)."""
        parameters: dict[str, Any] = {}
        repeated: dict[str, None] = {}
        if request.scope["query_string"]:
            for name, value in request.query_params.multi_items():
                if name in self._arrays:
                    parameters.setdefault(name, []).append(value)
                else:
                    if name in parameters and name in self._single:
                        repeated[name] = None
                    parameters[name] = value
        return parameters, list(repeated)


def _adapter(field: Parameter) -> TypeAdapter[Any]:
    annotation: Any = Annotated[field.field_info.annotation, field.field_info]
    return TypeAdapter(annotation)


def _query_model(field: Parameter | None) -> type[Parameters]:
    if field is None:
        return NoParameters
    model = field.field_info.annotation
    assert isinstance(model, type), field.name
    assert issubclass(model, Parameters), f"{field.name}: a query string is a model of api.documents.parameters"
    return model
