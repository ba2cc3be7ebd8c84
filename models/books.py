"""The ledger, the chain of events and the audit trail: append-only all of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from models.base import AmountMinor, Base, Currency, JsonObject, Key, WrittenAt, check


class LedgerAccount(Base):
    """An account of a studio's books, one per kind and currency."""

    __tablename__ = "ledger_account"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    kind: Mapped[str]
    currency: Mapped[Currency]

    __table_args__ = (
        UniqueConstraint("studio_id", "kind", "currency"),
        UniqueConstraint("studio_id", "id", "currency"),
    )


class LedgerTransfer(Base):
    """One sum from one account to another. `posting_id` is the payment, refund or invoice it is about."""

    __tablename__ = "ledger_transfer"

    id: Mapped[Key]
    studio_id: Mapped[UUID]
    debit_account_id: Mapped[UUID]
    credit_account_id: Mapped[UUID]
    amount_minor: Mapped[AmountMinor]
    currency: Mapped[Currency]
    posting_id: Mapped[UUID]
    causation_id: Mapped[UUID]
    posted_at: Mapped[datetime]

    __table_args__ = (
        *(
            ForeignKeyConstraint(
                ["studio_id", side, "currency"],
                ["ledger_account.studio_id", "ledger_account.id", "ledger_account.currency"],
            )
            for side in ("debit_account_id", "credit_account_id")
        ),
        check("ledger_transfer_amount_minor_check", "amount_minor > 0"),
        check("ledger_transfer_check", "debit_account_id <> credit_account_id"),
        Index("ledger_transfer_posting", "posting_id"),
        Index("ledger_transfer_posted", "posted_at", postgresql_using="brin"),
    )


class StateEvent(Base):
    """One step of one aggregate. `hash` is `billing.events.event_hash` over the one before and this row."""

    __tablename__ = "state_event"

    aggregate_id: Mapped[Key]
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    machine: Mapped[str]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    trigger: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    facts: Mapped[JsonObject]
    command_id: Mapped[UUID]
    correlation_id: Mapped[str]
    occurred_at: Mapped[datetime]
    hash: Mapped[bytes]

    __table_args__ = (
        check("state_event_version_check", "version > 0"),
        check("state_event_hash_check", "length(hash) = 32"),
        Index("state_event_command", "command_id"),
    )


class Audit(Base):
    """Who did what, where no command says so."""

    __tablename__ = "audit"

    id: Mapped[Key]
    studio_id: Mapped[UUID] = mapped_column(ForeignKey("studio.id"))
    occurred_at: Mapped[WrittenAt]
    principal: Mapped[str]
    action: Mapped[str]
    subject_id: Mapped[UUID | None]
    facts: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    remote_address: Mapped[str | None] = mapped_column(INET)
    correlation_id: Mapped[str]
    before: Mapped[JsonObject | None]
    after: Mapped[JsonObject | None]

    __table_args__ = (
        Index("audit_studio", "studio_id", "occurred_at"),
        Index("audit_subject", "subject_id", "occurred_at", postgresql_where=text("subject_id IS NOT NULL")),
        Index("audit_principal", "studio_id", "principal", "occurred_at"),
        Index("audit_action", "studio_id", "action", "occurred_at"),
    )
