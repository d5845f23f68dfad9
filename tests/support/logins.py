"""The application's login to the tests' databases; conftest lets it in."""

from psycopg.conninfo import make_conninfo

from adapters.postgres.session_settings import Purpose, session_dsn
from adapters.settings import APPLICATION_ROLE

LOGIN_PASSWORD = "of-the-tests"


def application_login(database_url: str) -> str:
    """The database of this owner's connection string, as ROLLBOOK_APP_DATABASE_URL would have it."""
    return make_conninfo(database_url, user=APPLICATION_ROLE, password=LOGIN_PASSWORD)


def application_dsn(database_url: str, purpose: Purpose = "read") -> str:
    """The same as the product connects to it."""
    return session_dsn(application_login(database_url), purpose)
