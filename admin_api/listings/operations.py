"""Lists for those who operate the studio: commands that are parked, and the audit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, or_, select

from admin_api.listings.filters import Filter
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import Finder, by_ids_or, containing, matching_customers, of_customers
from admin_api.queries.ids import among
from admin_api.queries.names import Named, Who, customer_names, principals_of, who_of
from admin_api.queries.operations import operations_of
from admin_api.walls import GuardedSession
from bus.messages import COMMANDS
from models.tables import Audit, CommandJournal, StaffMember
from web.views import View


class ParkedRow(View):
    """A command that people must look into. `code` is its problem's."""

    id: UUID
    kind: str
    customer: Named | None
    who: Who
    code: str
    tries: int
    accepted_at: datetime
    since: datetime
    correlation_id: str


class AuditRow(View):
    """Who did what, when and from where. `command_state`: what became of the command, if it was one."""

    id: UUID
    at: datetime
    who: Who
    action: str
    subject_id: UUID | None
    remote_address: str | None
    before: dict[str, JsonValue] | None
    after: dict[str, JsonValue] | None
    facts: dict[str, JsonValue]
    command_id: UUID | None
    command_state: str | None
    command_problem: str | None
    correlation_id: str


def _parked_rows(session: GuardedSession, rows: Rows) -> Sequence[ParkedRow]:
    customers = customer_names(session, (row.customer_id for row in rows))
    people = who_of(session.connection(), {row.principal for row in rows})
    return [
        ParkedRow(
            id=row.command_id,
            kind=row.kind,
            customer=customers.get(row.customer_id),
            who=people[row.principal],
            code=str((row.problem or {}).get("code", "")),
            tries=row.tries,
            accepted_at=row.accepted_at,
            since=row.answered_at,
            correlation_id=row.correlation_id,
        )
        for row in rows
    ]


def _audit_rows(session: GuardedSession, rows: Rows) -> Sequence[AuditRow]:
    connection = session.connection()
    people = who_of(connection, {row.principal for row in rows})
    operations = operations_of(connection, (row.facts.get("command_id") for row in rows))
    shown = []
    for row in rows:
        operation = operations.get(str(row.facts.get("command_id")))
        shown.append(
            AuditRow(
                id=row.id,
                at=row.occurred_at,
                who=people[row.principal],
                action=row.action,
                subject_id=row.subject_id,
                remote_address=row.remote_address and str(row.remote_address),
                before=row.before,
                after=row.after,
                facts=row.facts,
                command_id=operation.command_id if operation else None,
                command_state=operation.state if operation else None,
                command_problem=str((operation.problem or {}).get("code", "")) or None if operation else None,
                correlation_id=row.correlation_id,
            )
        )
    return shown


def _by(_session: GuardedSession, person_id: UUID) -> ColumnElement[bool]:
    return Audit.principal.in_(principals_of([person_id]))


def _audited(session: GuardedSession, term: str) -> ColumnElement[bool]:
    """An action or a program by its name, or what was done by or to the people that the words match."""
    people = containing(StaffMember.name, StaffMember.email)(term)
    staff = session.scalars(select(StaffMember.id).where(people)).all()
    customers = matching_customers(session, term)
    people_ids = [*staff, *customers]
    return or_(
        Audit.action == term,
        Audit.principal.in_([term, *principals_of(people_ids)]),
        among(Audit.subject_id, people_ids),
    )


def _parked(find_customers: Finder) -> Finder:
    def find(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
        if term in COMMANDS:
            return CommandJournal.kind == term
        return find_customers(session, term)

    return find


PARKED: Final = Listing(
    name="parked",
    model=CommandJournal,
    permission="parked.read",
    view=ParkedRow,
    columns=("kind", "since", "code", "customer", "who", "tries"),
    fields=(
        CommandJournal.command_id,
        CommandJournal.sequence,
        CommandJournal.kind,
        CommandJournal.customer_id,
        CommandJournal.principal,
        CommandJournal.problem,
        CommandJournal.tries,
        CommandJournal.accepted_at,
        CommandJournal.answered_at,
        CommandJournal.correlation_id,
    ),
    present=_parked_rows,
    sorts={"accepted_at": CommandJournal.sequence},
    default_sort="accepted_at",
    filters=(
        Filter("kind", CommandJournal.kind, "choice", tuple(COMMANDS)),
        Filter("customer", CommandJournal.customer_id, "uuid"),
    ),
    search=by_ids_or(
        (CommandJournal.command_id, CommandJournal.customer_id),
        _parked(of_customers(CommandJournal.customer_id)),
    ),
    narrow=(CommandJournal.state == "parked",),
    key_name="command_id",
)

AUDIT: Final = Listing(
    name="audit",
    model=Audit,
    permission="audit.read",
    view=AuditRow,
    columns=("at", "who", "action", "subject_id", "remote_address", "before", "after", "command_state"),
    fields=(
        Audit.id,
        Audit.occurred_at,
        Audit.principal,
        Audit.action,
        Audit.subject_id,
        Audit.remote_address,
        Audit.before,
        Audit.after,
        Audit.facts,
        Audit.correlation_id,
    ),
    present=_audit_rows,
    sorts={"at": Audit.occurred_at},
    default_sort="-at",
    filters=(
        Filter("who", Audit.principal, "uuid", condition=_by),
        Filter("action", Audit.action, "text"),
        Filter("subject", Audit.subject_id, "uuid", is_selective=True),
        Filter("from", Audit.occurred_at, "date_from"),
        Filter("to", Audit.occurred_at, "date_to"),
    ),
    search=by_ids_or((Audit.id, Audit.subject_id), _audited),
)
