"""Reports errors to Sentry, or to whatever takes its events. Called by `runtime.error_reporting`.

None of the SDK's integrations is on: they hook into libraries, keep trails of values and report errors twice.
"""

from typing import Final

from sentry_sdk import Client
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import BadDsn, event_from_exception

from runtime.logging import LoggedError, without_values

RELEASE: Final = "billbus"


class SentryReporter:
    """Sends from the SDK's own thread, out of its bounded queue."""

    def __init__(self, service_name: str, dsn: str, queue_limit: int, flush_seconds: float) -> None:
        """Raises ValueError: that is no DSN."""
        if not dsn:
            raise BadDsn("empty")  # which the SDK takes for "off"
        self._service_name = service_name
        self._flush_seconds = flush_seconds
        self._client = Client(
            dsn=dsn,
            release=RELEASE,
            server_name=service_name,
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            send_client_reports=False,
            send_default_pii=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            before_send=_without_values,
            transport_queue_size=queue_limit,
            shutdown_timeout=flush_seconds,
        )

    def report(self, error: LoggedError) -> None:
        event, hint = event_from_exception(error.exception, client_options=self._client.options)
        event["level"] = "fatal" if error.level == "critical" else "error"
        event["logger"] = error.logger
        event["logentry"] = {"message": error.message}
        event["tags"] = {"service.name": self._service_name, **error.ids}
        self._client.capture_event(event, hint)

    def close(self) -> None:
        self._client.close(timeout=self._flush_seconds)


def _without_values(event: Event, _hint: Hint) -> Event:
    for exception in event.get("exception", {}).get("values", []):
        exception["value"] = without_values(str(exception.get("value", "")))
    return event
