"""What the documents of plain records share."""

from typing import Any, ClassVar

from api.documents.common import Attributes
from api.documents.fields import ContractDatetime
from api.documents.parameters import Page


class RecordListQuery(Page):
    """A page of records. `FILTERS` is the SQL of each parameter, over `r`, with `{}` for its value."""

    FILTERS: ClassVar[dict[str, str]] = {}

    def conditions(self) -> list[tuple[str, Any]]:
        """Return the filters that were given, as `projections.core.records` takes them."""
        given = ((sql, getattr(self, name)) for name, sql in self.FILTERS.items())
        return [(sql, value) for sql, value in given if value is not None]


class Times(Attributes):
    """When a record was created and changed."""

    created_time: ContractDatetime
    last_modified_time: ContractDatetime
