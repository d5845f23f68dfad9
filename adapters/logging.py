"""Logging: one JSON object per line on standard output, with the id of the request and without personal values."""

import logging
import re
import sys

import orjson
import structlog
from structlog.typing import EventDict, Processor

_TRACEBACK = "Traceback (most recent call last):\n"
_PLACE = re.compile(r'^ *File "(.+)", line (\d+)', re.MULTILINE)
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_QUOTATION = re.compile(r"[\n<(:]")


def configure_logging(level: str = "info") -> None:
    """Configure logging, of libraries too, from this level on. Only classes and places of exceptions are logged."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_values,
        _without_traceback,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=orjson.dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_without_quotations)
    renderer = structlog.processors.JSONRenderer(serializer=lambda *args, **more: orjson.dumps(*args, **more).decode())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(_LEVELS[level], logging.WARNING))


def _without_quotations(record: logging.LogRecord) -> bool:
    """Remove values from a library's message: exceptions, and in asyncio's messages tasks with their arguments."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            _kind(argument) if isinstance(argument, BaseException) else argument for argument in record.args
        )
    if isinstance(record.msg, BaseException):
        record.msg = _kind(record.msg)
    if record.name == "asyncio":
        record.msg, record.args = _QUOTATION.split(record.getMessage())[0].strip(), ()
    return True


def _without_values(_: object, __: str, event: EventDict) -> EventDict:
    """Replace an exception, whose text may quote values of rows or requests, by its class and place in the code."""
    raised = event.pop("exc_info", None)
    error = sys.exc_info()[1] if raised is True else raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        event["error"] = _kind(error)
        trace = error.__traceback__
        places = []
        while trace is not None:
            places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
            trace = trace.tb_next
        event["at"] = places[-20:]
    return event


def _without_traceback(_: object, __: str, event: EventDict) -> EventDict:
    """Replace a traceback in the text of a message, as uvicorn logs it when an application cannot start."""
    _, marker, trace = str(event["event"]).rpartition(_TRACEBACK)
    if marker:
        raised = next((line for line in trace.splitlines() if line[:1].strip()), "")
        places = [":".join(place) for place in _PLACE.findall(trace)]
        event.update(event="failed", error=raised.partition(":")[0], at=places[-20:])
    return event


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
