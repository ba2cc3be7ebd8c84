"""The job `reminder`: plans the message that a subscription is about to renew, or to end.

Each subscription is told the nearest reminder that is due, so whoever was not told at seven days, because
nothing ran, is told once at one. Nothing is sent from here, and nothing at night.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from cron.desk import Done, Run
from cron.renewal import renewal_correlation_id
from notifications.planning import Reminder, plan_reminders
from runtime.crash_points import crash_point
from storage.renewals import PAGE_LIMIT, START, DueReminder, list_to_remind

FIRST_HOUR = time(10)
LAST_HOUR = time(20)


def decide_hour(at: datetime, timezone: str) -> datetime:
    """`at`, or the next time after it between 10:00 and 20:00 on that clock. In UTC."""
    local = at.astimezone(ZoneInfo(timezone))
    if FIRST_HOUR <= local.time() < LAST_HOUR:
        return at.astimezone(UTC)
    day = local.date() if local.time() < FIRST_HOUR else local.date() + timedelta(days=1)
    return datetime.combine(day, FIRST_HOUR, ZoneInfo(timezone)).astimezone(UTC)


def plan_due_reminders(run: Run) -> Done:
    """Walks through what is due. Counts messages that are new."""
    settings, count, after = run.desk.settings, 0, START
    while run.may_go_on():
        with run.desk.engine.begin() as connection:
            page = list_to_remind(connection, run.now, settings.reminder_days_before, after, PAGE_LIMIT)
            count += _plan_page(connection, page, settings.renewal_days_before)
            crash_point("reminder_before_commit")
        if len(page) < PAGE_LIMIT:
            return Done(count)
        after = page[-1].place
    return Done(count, is_whole=False)


def _plan_page(connection: Connection, page: Sequence[DueReminder], renewal_days_before: int) -> int:
    count = 0
    for due in page:
        at = decide_hour(due.studio_now, due.timezone)
        if at < due.period_end and not _waits_for_invoice(due, renewal_days_before):
            count += plan_reminders(connection, [_reminder(due)], at - due.clock_offset)
    return count


def _waits_for_invoice(due: DueReminder, renewal_days_before: int) -> bool:
    """An invoice is about to be drawn, perhaps this very minute: the reminder leads to it, so it comes after.

    Where it was refused, there is nothing to pay and nothing to tell.
    """
    return not due.is_ending and due.invoice_id is None and due.days_before <= renewal_days_before


def _reminder(due: DueReminder) -> Reminder:
    return Reminder(
        studio_id=due.studio_id,
        customer_id=due.customer_id,
        subscription_id=due.id,
        kind="period_end" if due.is_ending else "renewal",
        period_end=due.period_end,
        days_before=due.days_before,
        amount_minor=due.amount_minor,
        currency=due.currency,
        invoice_id=due.invoice_id,
        correlation_id=renewal_correlation_id(due.id, due.period_end),
    )
