"""Errors beside the log: what is logged at error or above with its exception goes to a collector too, if the
settings name one.

Every process begins its logging here. A report says which service, where in the code and under which ids;
values of rows and requests, local variables and secrets stay out. Nothing ever waits for a collector: reports
queue up to a bound, are dropped beyond it, and get a moment at the end. The log has all of them anyway.
"""

import atexit
import sys
import threading
from types import TracebackType
from typing import Final, Protocol

import structlog

from runtime.logging import LoggedError, configure
from runtime.settings import ProcessSettings

QUEUE_LIMIT: Final = 100
FLUSH_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class Reporter(Protocol):
    """Neither may raise or wait, but `close` for at most FLUSH_SECONDS."""

    def report(self, error: LoggedError) -> None: ...

    def close(self) -> None: ...


def begin_logging(service_name: str, settings: ProcessSettings) -> None:
    """Lines to stdout, errors to the collector, unhandled exceptions to both. Called once by each process.

    Ends the process with a sentence when the collector's token cannot be used.
    """
    reporter = choose_reporter(service_name, settings)
    configure(service_name, settings.log_level, reporter.report if reporter else None)
    if reporter is not None:
        atexit.register(reporter.close)
    sys.excepthook = _log_unhandled
    threading.excepthook = _log_unhandled_of_thread


def choose_reporter(service_name: str, settings: ProcessSettings) -> Reporter | None:
    """As `error_reporter` says; None for none. Raises SystemExit."""
    token = settings.error_reporter_token.get_secret_value() if settings.error_reporter_token else ""
    # Imported where they are wanted: they would make the start of every process a third of a second longer.
    try:
        if settings.error_reporter == "sentry":
            from runtime.sentry import SentryReporter

            return SentryReporter(service_name, token, QUEUE_LIMIT, FLUSH_SECONDS)
        if settings.error_reporter == "hawk":
            from runtime.hawk import HawkReporter

            return HawkReporter(service_name, token, settings.error_reporter_url, QUEUE_LIMIT, FLUSH_SECONDS)
    except ValueError:  # of which the text may quote the token
        sys.stderr.write(f"billbus: ERROR_REPORTER_TOKEN: is missing, or none of {settings.error_reporter}\n")
        raise SystemExit(2) from None
    return None


def _log_unhandled(
    kind: type[BaseException], exception: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, Exception):
        log.critical("process broke", exc_info=(kind, exception, traceback))
    else:
        sys.__excepthook__(kind, exception, traceback)


def _log_unhandled_of_thread(broken: threading.ExceptHookArgs) -> None:
    if broken.exc_value is not None and isinstance(broken.exc_value, Exception):
        log.critical("thread broke", exc_info=broken.exc_value, thread=getattr(broken.thread, "name", None))
