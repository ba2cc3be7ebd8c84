"""What a running task needs: the worker's database role, the bus, opened provider accounts, and the order in
which a call is recorded, made, and its outcome accepted.
"""

from collections.abc import Mapping
from functools import cache
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine, text

from bus.messages import Command
from bus.outlet import Outlet
from bus.transports import choose_bus
from kit.ids import derived_id, sha256
from notifications.sending import require_link_key
from providers.cloudpayments.client import CloudPaymentsClient, longest_call_seconds
from providers.port import PaymentProvider, ProviderAccount
from runtime.crash_points import crash_point
from runtime.logging import bind
from runtime.settings import TaskSettings, load_settings
from storage.database import connect_as, create_role_engine
from storage.journal import Accepted, accept
from storage.provider_calls import Call, finish_call
from storage.sealing import unseal

SERVICE = "worker"
ROLE = "billbus_worker"
# Each provider's client, by the name in provider_account.provider.
CLIENTS: dict[str, type[CloudPaymentsClient]] = {"cloudpayments": CloudPaymentsClient}

_ACCOUNT = text("""
    SELECT id, provider, public_id, sealed_secret, api_url, widget_script_url, is_test
    FROM provider_account WHERE id = :id
""")

log = structlog.get_logger(__name__)


class Desk:
    """One per worker process: its threads share it. Ends the process if the settings do not fit together."""

    def __init__(self, settings: TaskSettings) -> None:
        database_url = settings.database_url.get_secret_value()
        self._sealing_key = require_sealing_key(settings)
        require_lease_outlasts_calls(settings)
        require_link_key(settings)
        self.settings = settings
        self.engine: Engine = create_role_engine(database_url, ROLE, SERVICE)
        amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
        bus = choose_bus(amqp_url, lambda: connect_as(database_url, ROLE, SERVICE), SERVICE)
        self.outlet = Outlet(bus.command_publisher())
        self._clients: dict[UUID, PaymentProvider] = {}

    def provider(self, provider_account_id: UUID) -> PaymentProvider:
        """The client of a provider account. A changed secret is seen when the worker restarts."""
        if provider_account_id not in self._clients:
            with self.engine.begin() as connection:
                row = connection.execute(_ACCOUNT, {"id": provider_account_id}).one()
            account = ProviderAccount(
                account_id=row.id,
                provider=row.provider,
                public_id=row.public_id,
                secret=unseal(self._sealing_key, row.sealed_secret),
                api_url=row.api_url,
                widget_script_url=row.widget_script_url,
                is_test=row.is_test,
            )
            self._clients[provider_account_id] = CLIENTS[row.provider](
                account, self.settings.provider_answer_timeout_seconds
            )
        return self._clients[provider_account_id]

    def conclude(
        self,
        call: Call,
        outcome: str,
        answer: Mapping[str, object],
        next_seconds: float | None,
        command: Command | None,
    ) -> None:
        """Stores a call's answer and the command that tells of it in one transaction, then publishes."""
        crash_point("after_call")
        with self.engine.begin() as connection:
            finish_call(connection, call.id, outcome, answer, next_seconds)
            accepted = self._accept(connection, call, outcome, command)
            crash_point("before_outcome_commit")
        crash_point("after_outcome_commit")
        about = call.subject
        with bind(correlation_id=about.correlation_id, studio_id=about.studio_id):
            subject = {about.column: str(about.id)}
            log.info("provider was called", kind=call.kind, number=call.number, outcome=outcome, **subject)
            if accepted is not None:
                self.outlet.publish(accepted.envelope)

    def _accept(
        self, connection: Connection, call: Call, outcome: str, command: Command | None
    ) -> Accepted | None:
        if command is None:
            return None
        return self.accept(
            connection, command, derived_id("task", call.id, outcome), call.id, call.subject.correlation_id
        )

    def accept(
        self,
        connection: Connection,
        command: Command,
        command_id: UUID,
        cause: UUID,
        correlation_id: str,
    ) -> Accepted:
        """Writes a command of the worker into the journal; publish it after the commit."""
        return accept(
            connection,
            command,
            command_id=command_id,
            request_hash=sha256(command_id.bytes),
            principal=f"task:{cause}",
            correlation_id=correlation_id,
            causation_id=cause,
        )


def require_sealing_key(settings: TaskSettings) -> str:
    """Only the worker needs it. Raises SystemExit with a sentence."""
    if settings.sealing_key is None:
        raise SystemExit("billbus: SEALING_KEY must be set for the worker")
    return settings.sealing_key.get_secret_value()


def require_lease_outlasts_calls(settings: TaskSettings) -> None:
    """A live row past its lease must mean that its worker is gone. Raises SystemExit with a sentence."""
    longest = longest_call_seconds(settings.provider_answer_timeout_seconds)
    if settings.lease_seconds <= longest:
        raise SystemExit(
            f"billbus: LEASE_SECONDS is {settings.lease_seconds:g} but a call may last {longest:g} s: with"
            f" PROVIDER_ANSWER_TIMEOUT_SECONDS={settings.provider_answer_timeout_seconds:g} it must be longer"
        )


@cache
def desk() -> Desk:
    """The desk of this process."""
    return Desk(load_settings(TaskSettings))
