"""One JSON line per log record on stdout, in Elastic Common Schema fields, for every process.

Called once at the start of a process; libraries that log through the standard library come out the same way.
What is bound to the context (`bind`) is in every line of that request, message or task. Values whose key
looks like a secret or like a person's contact are replaced before they are written.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor, ProcessorReturnValue, WrappedLogger

REDACTED: Final = "[redacted]"
EXCEPTION_CHARACTERS_MAX: Final = 16_000
ECS_VERSION: Final = "1.6.0"
KNOWN_KEYS_LIMIT: Final = 1_000
# ASCII alone: nothing in a value can end its line, whatever the reader takes for an end of line.
_encode = json.JSONEncoder(separators=(",", ":"), default=repr).encode
_SECRET_KEY = re.compile(
    r"passw|secret|token|authorization|cookie|api_?key|sealing|credential|signature|cryptogram|e_?mail|phone"
    r"|card",
    re.IGNORECASE,
)
# `user:password@` of a URL in an exception's text, and the values that SQLAlchemy prints beside a statement.
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*):[^\s@/]+@")
_STATEMENT_PARAMETERS = re.compile(r"^\[parameters: .*$", re.MULTILINE)
_ROW_DETAIL = re.compile(r"^(?:DETAIL: |CONTEXT:  JSON data).*$", re.MULTILINE)
# What pydantic and PostgreSQL quote of an input that they could not take.
_INPUT = re.compile(
    r"(?<=input_value=).*(?=, input_type=)|(?<=invalid input syntax for type ).*$", re.MULTILINE
)
# Loud at INFO and of no use there; uvicorn's access lines are written by the API itself.
# Celery tells of every sweep at INFO, in three loggers, every two seconds.
_QUIET_LOGGERS = (
    "uvicorn.access",
    "httpx",
    "httpcore",
    "pika",
    "kombu",
    "amqp",
    "alembic",
    "transitions",
    "celery.beat",
    "celery.worker.strategy",
    "celery.app.trace",
    "elastic_transport",
)
# Of a line, what an error's report says too.
_IDS = ("trace.id", "command.id", "studio.id")


@dataclass(frozen=True, slots=True)
class LoggedError:
    """An exception that was logged at error or above; `message` and `ids` are those of its line."""

    exception: BaseException
    message: str
    level: str
    logger: str
    ids: Mapping[str, str]


Report = Callable[[LoggedError], None]


def configure(service_name: str, level: str = "INFO", report: Report | None = None) -> None:
    """Sends structlog, the standard library's logging and warnings to stdout. Idempotent.

    `level` is a name of the standard library, any case. `report` hears of errors; it must not wait.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _ecs_names(service_name),
        *([_telling(report)] if report else []),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            _hand_over,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _route_standard_library(shared, level.upper())


def _route_standard_library(shared: list[Processor], level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        _Formatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _write_line],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    # A line that cannot be written must not bring its values to stderr instead.
    logging.raiseExceptions = False
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "celery", "celery.task", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """What structlog hands over needs no more than to be written; other records go through all of it."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(event := getattr(record, _EVENT, None), dict):
            return _write_line(None, "", event)
        return super().format(record)


_EVENT: Final = "structlog_event"


def _hand_over(_logger: WrappedLogger, _method_name: str, event: EventDict) -> ProcessorReturnValue:
    return (event["event"],), {"extra": {_EVENT: event}}


def _write_line(_logger: WrappedLogger, _method_name: str, event: EventDict) -> str:
    """The order of the first three is ECS's; `log.level` alone stays dotted, as ECS loggers write it."""
    event = dict(event)
    fields: dict[str, object] = {
        "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z",
        "log.level": event.pop("log.level"),
        "message": str(event.pop("event")),
        "ecs.version": ECS_VERSION,
    }
    if "exception" in event:
        event["error.stack_trace"] = event.pop("exception")
    for name, value in event.items():
        _place(fields, name, value)
    return _encode(fields)


def _place(fields: dict[str, object], name: str, value: object) -> None:
    """Puts `a.b` under `b` of the object `a`; stays dotted where `a` is no object."""
    place, *outer, last = fields, *name.split(".")
    for part in outer:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            fields[name] = value
            return
        place = inner
    place[last] = value


def _ecs_names(service_name: str) -> Processor:
    def add(logger: WrappedLogger, method_name: str, event: EventDict) -> EventDict:
        record = event.get("_record")
        event["service.name"] = service_name
        level = (record.levelname if record else method_name).lower()
        event["log.level"] = "error" if level == "exception" else level
        event["log.logger"] = record.name if record else getattr(logger, "name", service_name)
        return event

    return add


def _telling(report: Report) -> Processor:
    """Before exceptions become text. A report that cannot be made must not cost the line."""

    def tell(_logger: WrappedLogger, _method_name: str, event: EventDict) -> EventDict:
        exception = _exception_of(event.get("exc_info"))
        if exception is not None and event["log.level"] in ("error", "critical"):
            ids = {name: str(event[name]) for name in _IDS if name in event}
            message = without_values(str(event["event"]))
            with suppress(Exception):
                report(LoggedError(exception, message, event["log.level"], event["log.logger"], ids))
        return event

    return tell


def _exception_of(exc_info: object) -> BaseException | None:
    """As the standard library takes it: an exception, its triple, or anything true for the one in hand."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    elif exc_info and not isinstance(exc_info, BaseException):
        exc_info = sys.exc_info()[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _redact(_logger: WrappedLogger, _method_name: str, event: EventDict) -> EventDict:
    for key in list(event):
        if not key.startswith("_"):
            event[key] = _without_secrets(key, event[key])
    if "exception" in event:
        event["exception"] = without_values(str(event["exception"]))
    return event


def _without_secrets(key: str, value: object) -> object:
    if _is_secret(key):
        return REDACTED
    if isinstance(value, str):
        return _URL_PASSWORD.sub(rf"\1:{REDACTED}@", value) if "://" in value else value
    if isinstance(value, Mapping):
        return {str(name): _without_secrets(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(key, inner) for inner in value]
    return value


@lru_cache(KNOWN_KEYS_LIMIT)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def without_values(text: str) -> str:
    """An exception's text without what came from rows and requests: a traceback says where, not what."""
    for pattern in (_STATEMENT_PARAMETERS, _ROW_DETAIL, _INPUT):
        text = pattern.sub(REDACTED, text)
    return _URL_PASSWORD.sub(rf"\1:{REDACTED}@", text)[-EXCEPTION_CHARACTERS_MAX:]


@contextmanager
def bind(
    *, correlation_id: str | None = None, command_id: UUID | None = None, studio_id: UUID | None = None
) -> Iterator[None]:
    """Puts ids into every line written inside; None leaves what is bound outside."""
    fields: MutableMapping[str, str] = {}
    if correlation_id is not None:
        fields["trace.id"] = correlation_id
    if command_id is not None:
        fields["command.id"] = str(command_id)
    if studio_id is not None:
        fields["studio.id"] = str(studio_id)
    with structlog.contextvars.bound_contextvars(**fields):
        yield
