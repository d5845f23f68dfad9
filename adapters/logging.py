"""Logs: one JSON object a line on standard output, with the request's id, without personal values."""

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
    """Our own log calls and those of libraries, from this level on. Of exceptions only kinds and places are told."""
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
    """Libraries put exceptions into their messages; asyncio also tasks and callbacks, with results and arguments."""
    if isinstance(record.args, tuple):
        record.args = tuple(_kind(each) if isinstance(each, BaseException) else each for each in record.args)
    if isinstance(record.msg, BaseException):
        record.msg = _kind(record.msg)
    if record.name == "asyncio":
        record.msg, record.args = _QUOTATION.split(record.getMessage())[0].strip(), ()
    return True


def _without_values(_: object, __: str, event: EventDict) -> EventDict:
    """The texts of exceptions quote values: of rows, of requests. Their kind and place are enough."""
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
    """The same for a traceback that is told as a text, as uvicorn does when an application cannot start."""
    _, found, trace = str(event["event"]).rpartition(_TRACEBACK)
    if found:
        raised = next((line for line in trace.splitlines() if line[:1].strip()), "")
        places = [":".join(place) for place in _PLACE.findall(trace)]
        event.update(event="failed", error=raised.partition(":")[0], at=places[-20:])
    return event


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
