"""`billbus refunds`: staff's word on refunds that wait for it.

A decision is a command like any other: it goes into the journal, over the bus, and its answer is waited for.
"""

import getpass
from collections.abc import Callable
from time import monotonic, sleep
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Row, text

from bus.messages import ApproveRefund, Command, RejectRefund
from bus.port import BusAway, Envelope
from bus.transports import choose_bus
from cli.connections import owner_connection
from kit.ids import new_id
from runtime.settings import ProcessSettings, load_settings
from storage.audit import write_audit
from storage.database import connect_as
from storage.journal import accept

LIST_LIMIT = 200
ANSWER_SECONDS = 30.0
POLL_SECONDS = 0.1

group = typer.Typer(help="Refunds that wait for a decision.", no_args_is_help=True)

_LIST = text("""
    SELECT r.id, s.host, r.amount_minor, r.currency, r.origin, r.reason, r.created_at, i.number
    FROM refund r JOIN studio s ON s.id = r.studio_id LEFT JOIN invoice i ON i.id = r.invoice_id
    WHERE r.state = 'requested' ORDER BY r.id LIMIT :limit
""")
_FIND = text("""
    SELECT id, studio_id, customer_id, provider_payment_id, invoice_id FROM refund WHERE id = :id
""")
_ANSWER = text("SELECT state, result, problem FROM command_journal WHERE command_id = :command_id")

RefundId = Annotated[UUID, typer.Argument(help="The refund's id, as `refunds list` shows it.")]


@group.command("list")
def list_refunds() -> None:
    """Refunds that were requested and not yet decided on, oldest first."""
    with owner_connection(_settings().database_url.get_secret_value()) as connection:
        rows = connection.execute(_LIST, {"limit": LIST_LIMIT}).all()
    table = Table("refund", "studio", "invoice", "amount", "asked by", "reason")
    for row in rows:
        amount = f"{row.amount_minor // 100}.{row.amount_minor % 100:02d} {row.currency}"
        table.add_row(str(row.id), row.host, row.number or "", amount, row.origin, row.reason)
    Console().print(table)


@group.command()
def approve(refund_id: RefundId) -> None:
    """Send a refund to the provider."""
    _decide(refund_id, lambda row: ApproveRefund(**_ids(row)))


@group.command()
def reject(
    refund_id: RefundId, reason: Annotated[str, typer.Option(help="Why; the customer may see it.")]
) -> None:
    """Say no to a refund; its sum is free again."""
    _decide(refund_id, lambda row: RejectRefund(**_ids(row), reason=reason))


def _settings() -> ProcessSettings:
    return load_settings(ProcessSettings)


def _ids(row: Row[tuple[UUID, ...]]) -> dict[str, UUID]:
    return {
        "studio_id": row.studio_id,
        "customer_id": row.customer_id,
        "refund_id": row.id,
        "payment_id": row.provider_payment_id,
        "invoice_id": row.invoice_id,
    }


def _decide(refund_id: UUID, build: Callable[[Row[tuple[UUID, ...]]], Command]) -> None:
    settings = _settings()
    url = settings.database_url.get_secret_value()
    command_id = new_id()
    with owner_connection(url) as connection:
        row = connection.execute(_FIND, {"id": refund_id}).one_or_none()
        if row is None:
            raise typer.BadParameter(f"there is no refund {refund_id}")
        envelope = _accept(connection, build(row), command_id, refund_id)
    _publish(settings, envelope)
    _report(url, command_id)


def _accept(connection: Connection, command: Command, command_id: UUID, refund_id: UUID) -> Envelope:
    principal = f"cli:{getpass.getuser()}"
    accepted = accept(
        connection,
        command,
        command_id=command_id,
        request_hash=command_id.bytes,
        principal=principal,
        correlation_id=command_id.hex,
    )
    assert accepted.envelope is not None, "the command id is new"
    write_audit(
        connection,
        studio_id=command.studio_id,
        principal=principal,
        action=accepted.envelope.kind,
        subject_id=refund_id,
        facts={"command_id": command_id},
        remote_address=None,
        correlation_id=command_id.hex,
    )
    return accepted.envelope


def _publish(settings: ProcessSettings, envelope: Envelope) -> None:
    url = settings.database_url.get_secret_value()
    amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
    bus = choose_bus(amqp_url, lambda: connect_as(url, "billbus_api", "billbus cli"), "billbus cli")
    publisher = bus.command_publisher()
    try:
        publisher.publish([envelope])
    except BusAway:
        typer.echo("The bus is away; the command is in the journal and will be published later.", err=True)
    finally:
        publisher.close()


def _report(url: str, command_id: UUID) -> None:
    """Waits for the answer. Exit code 1 for a refusal, 3 when there is no answer yet."""
    deadline = monotonic() + ANSWER_SECONDS
    while monotonic() < deadline:
        with owner_connection(url) as connection:
            state, result, problem = connection.execute(_ANSWER, {"command_id": command_id}).one()
        if state == "applied":
            typer.echo(f"applied: refund {result['refund_id']} is {result['state']}")
            return
        if state != "accepted":
            typer.echo(f"{state}: {problem}", err=True)
            raise typer.Exit(1)
        sleep(POLL_SECONDS)
    typer.echo(f"accepted as {command_id}, not applied within {ANSWER_SECONDS:.0f} s", err=True)
    raise typer.Exit(3)
