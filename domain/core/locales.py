"""The locales of the texts that people read."""

from typing import Literal, get_args

Locale = Literal["en_US", "es_US"]
LOCALES: tuple[Locale, ...] = get_args(Locale)
FALLBACK_LOCALE: Locale = "en_US"
