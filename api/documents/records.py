"""What the documents of plain records share."""

from typing import Any, ClassVar

from api.documents.common import Attributes
from api.documents.parameters import Page, Parameters
from api.documents.times import ContractDatetime


class RecordFilters(Parameters):
    """Which records are listed.

    Parameters in `EQUAL` are compared with the columns of their names. `FILTERS` is the SQL of further ones, over `r`,
    with `{}` for the value.
    """

    EQUAL: ClassVar[tuple[str, ...]] = ()
    FILTERS: ClassVar[dict[str, str]] = {}

    def conditions(self) -> list[tuple[str, Any]]:
        """Return the filters that were given, as `projections.core.records` takes them."""
        filters = {name: f"r.{name} = {{}}" for name in self.EQUAL} | self.FILTERS
        given = ((sql, getattr(self, name)) for name, sql in filters.items())
        return [(sql, [*value] if isinstance(value, tuple) else value) for sql, value in given if value is not None]


class RecordListQuery(RecordFilters, Page):
    """A page of records."""


class Times(Attributes):
    """When a record was created and changed."""

    created_time: ContractDatetime
    last_modified_time: ContractDatetime
