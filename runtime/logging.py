"""One JSON line per log record on stdout, in Elastic Common Schema fields, for every process.

Called once at the start of a process; libraries that log through the standard library come out the same way.
What is bound to the context (`bind`) is in every line of that request, message or task. Values whose key
looks like a secret or like a person's contact are replaced before they are written.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import ecs_logging
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED: Final = "[redacted]"
EXCEPTION_CHARACTERS_MAX: Final = 16_000
_to_ecs = ecs_logging.StructlogFormatter()
_SECRET_KEY = re.compile(
    r"passw|secret|token|authorization|cookie|api_?key|sealing|credential|signature|cryptogram|e_?mail|phone"
    r"|card",
    re.IGNORECASE,
)
# `user:password@` of a URL in an exception's text, and the values that SQLAlchemy prints beside a statement.
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*):[^\s@/]+@")
_STATEMENT_PARAMETERS = re.compile(r"^\[parameters: .*$", re.MULTILINE)
_ROW_DETAIL = re.compile(r"^(?:DETAIL: |CONTEXT:  JSON data).*$", re.MULTILINE)
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
)


def configure(service_name: str, level: str = "INFO") -> None:
    """Sends structlog, the standard library's logging and warnings to stdout. Idempotent.

    `level` is a name of the standard library, any case.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _ecs_names(service_name),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _route_standard_library(shared, level.upper())


def _route_standard_library(shared: list[Processor], level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _as_json_line,
            ],
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


def _as_json_line(logger: WrappedLogger, name: str, event: EventDict) -> str:
    return _to_ecs(logger, name, dict(event))


def _ecs_names(service_name: str) -> Processor:
    def add(logger: WrappedLogger, method_name: str, event: EventDict) -> EventDict:
        record = event.get("_record")
        event["service.name"] = service_name
        level = (record.levelname if record else method_name).lower()
        event["log.level"] = "error" if level == "exception" else level
        event["log.logger"] = record.name if record else getattr(logger, "name", service_name)
        return event

    return add


def _redact(_logger: WrappedLogger, _method_name: str, event: EventDict) -> EventDict:
    for key in list(event):
        if not key.startswith("_"):
            event[key] = _without_secrets(key, event[key])
    if "exception" in event:
        event["exception"] = without_values(str(event["exception"]))
    return event


def _without_secrets(key: str, value: object) -> object:
    if _SECRET_KEY.search(key):
        return REDACTED
    if isinstance(value, Mapping):
        return {name: _without_secrets(str(name), inner) for name, inner in value.items()}
    if isinstance(value, str):
        return _URL_PASSWORD.sub(rf"\1:{REDACTED}@", value)
    return value


def without_values(text: str) -> str:
    """An exception's text without what came from rows and requests: a traceback says where, not what."""
    for pattern in (_STATEMENT_PARAMETERS, _ROW_DETAIL):
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
