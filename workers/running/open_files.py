"""The limit of open files of this process: each connection is one open file."""

import resource

from adapters.settings import InvalidSettingsError, Settings

OTHER_FILES = 400
"""Refused connections that are closing, notifications, libraries and files: more than any measured number."""


def allow_open_files(settings: Settings) -> None:
    """Raise the soft limit so that all connections of an API process fit. Raises InvalidSettingsError if it cannot.

    Beyond the limit, the system would silently close new connections, including those to Postgres.
    """
    needed = settings.connections + 2 * settings.pool_size + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InvalidSettingsError(
            f"ROLLBOOK_CONNECTIONS: {settings.connections} connections need {needed} open files, but this process"
            f" may have only {hard} (ulimit -Hn): lower the setting or raise the limit"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
