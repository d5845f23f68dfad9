import pytest

from tests.support.followers import make_tables


@pytest.fixture
def watched(database_url: str) -> str:
    """A database with the tables of the tests' projections."""
    make_tables(database_url)
    return database_url
