"""How many files this process may have open: each connection is one."""

import resource

from adapters.settings import InvalidSettingsError, Settings

OTHERS = 400
"""Refused connections that linger, notifications, libraries, files: more than were ever counted."""


def allow_open_files(settings: Settings) -> None:
    """Raise the soft limit so that all connections of an API process fit. Raise InvalidSettingsError when they cannot.

    Beyond the limit the system would close new connections without a word, those to Postgres too.
    """
    needed = settings.connections + 2 * settings.pool_size + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InvalidSettingsError(
            f"ROLLBOOK_CONNECTIONS: {settings.connections} connections take {needed} open files, and this process may"
            f" have {hard} (ulimit -Hn): lower the one or raise the other"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
