"""The job `renewal`: invoices the next period of subscriptions that go on, and ends those that were to end.

It accepts commands; whether they may be applied is decided where they are. A command that was refused (there
may be no price in force) is accepted anew once on each day of the studio: somebody may have mended it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection

from billing.subscriptions import renewal_invoice_id
from bus.messages import Command, EndSubscription, RenewSubscription
from cron.desk import Done, Run, accept_by_clock
from kit.ids import derived_id
from runtime.crash_points import crash_point
from storage.journal import Accepted
from storage.renewals import (
    PAGE_LIMIT,
    START,
    DueSubscription,
    Place,
    list_refused,
    list_to_end,
    list_to_renew,
)

JOB = "renewal"

log = structlog.get_logger(__name__)


def renewal_correlation_id(subscription_id: UUID, period_start: datetime) -> str:
    """One for all that is done about one renewal: its invoice, its reminders, its end."""
    return derived_id("cron", JOB, subscription_id, _instant(period_start)).hex


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


@dataclass(frozen=True, slots=True)
class _Step:
    """One walk: what is due, the command for it, and what tells its command ids from the other walk's."""

    page: Callable[[Run, Connection, Place], list[DueSubscription]]
    command: Callable[[DueSubscription], Command]
    occasion: str


def _renew(due: DueSubscription) -> Command:
    return RenewSubscription(
        studio_id=due.studio_id,
        customer_id=due.customer_id,
        subscription_id=due.id,
        invoice_id=renewal_invoice_id(due.id, due.period_end),
        period_start=due.period_end.astimezone(UTC),
    )


def _end(due: DueSubscription) -> Command:
    return EndSubscription(studio_id=due.studio_id, customer_id=due.customer_id, subscription_id=due.id)


def _page_to_renew(run: Run, connection: Connection, after: Place) -> list[DueSubscription]:
    return list_to_renew(connection, run.now, run.desk.settings.renewal_days_before, after, PAGE_LIMIT)


def _page_to_end(run: Run, connection: Connection, after: Place) -> list[DueSubscription]:
    return list_to_end(connection, run.now, after, PAGE_LIMIT)


_STEPS = (_Step(_page_to_end, _end, "/end"), _Step(_page_to_renew, _renew, ""))


def renew_and_end(run: Run) -> Done:
    """Walks through what is due. Counts commands that are new; tells how many stay refused."""
    count = refused = 0
    for step in _STEPS:
        after = START
        while True:
            if not run.may_go_on():
                return Done(count, is_whole=False)
            with run.desk.engine.begin() as connection:
                page = step.page(run, connection, after)
                accepted, refused_here = _accept_page(connection, step, page)
            crash_point("renewal_after_page")
            run.desk.outlet.publish(*(each.envelope for each in accepted))
            count += sum(each.envelope is not None for each in accepted)
            refused += refused_here
            if len(page) < PAGE_LIMIT:
                break
            after = page[-1].place
    if refused:
        log.warning("renewals are refused", subscriptions=refused)
    return Done(count, f"{refused} subscriptions are refused to renew or end." if refused else None)


def _accept_page(
    connection: Connection, step: _Step, page: Sequence[DueSubscription]
) -> tuple[list[Accepted], int]:
    """Commands for a whole page, and how many of them had been refused before."""
    accepted = {due.id: _accept(connection, step, due, "") for due in page}
    known = [each.command_id for each in accepted.values() if each.envelope is None]
    refused = list_refused(connection, known) if known else set()
    again = [
        _accept(connection, step, due, f"/{due.studio_now.astimezone(UTC).date()}")
        for due in page
        if accepted[due.id].command_id in refused
    ]
    return [*accepted.values(), *again], len(again)


def _accept(connection: Connection, step: _Step, due: DueSubscription, day: str) -> Accepted:
    command_id = derived_id("cron", JOB, due.id, _instant(due.period_end) + step.occasion + day)
    correlation_id = renewal_correlation_id(due.id, due.period_end)
    return accept_by_clock(connection, JOB, step.command(due), command_id, correlation_id)
