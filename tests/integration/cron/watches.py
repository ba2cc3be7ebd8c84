"""A cron over one shop: runs its jobs, applies what they accepted, and looks at what came of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any
from uuid import UUID

from billing.subscriptions import renewal_invoice_id
from bus.messages import decode_command
from cron.desk import Desk
from cron.jobs import JOBS, Job
from cron.runner import Result, run_job
from kit.ids import new_id
from runtime.settings import CronSettings
from state_updater.apply import Answer, Received
from tests.integration.state_updater.shops import Shop, said

_runs = count()
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Watch:
    """`settings` are those of cron beside the database."""

    shop: Shop
    settings: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def desk(self) -> Desk:
        return Desk(CronSettings(database_url=self.shop.url, **self.settings))

    def close(self) -> None:
        if "desk" in self.__dict__:
            self.desk.close()

    def run(self, name: str | Job, now: datetime | None = None, due_at: datetime | None = None) -> Result:
        """One run, each for a due time of its own."""
        job = JOBS[name] if isinstance(name, str) else name
        due_at = due_at or _BEGAN + timedelta(minutes=next(_runs))
        return run_job(self.desk, job, due_at, now or datetime.now(UTC), lambda: False)

    # -------------------------------------------------------------- the studio

    def subscribe(self) -> tuple[UUID, datetime]:
        """A paid subscription of a customer of its own, and when its period ends."""
        self.shop.customer_id = self.shop.add_customer()
        subscription_id = self.shop.pay().subscription_id
        assert subscription_id is not None
        return subscription_id, self.period_end(subscription_id)

    def period_end(self, subscription_id: UUID) -> datetime:
        found = self.shop.one(
            "SELECT current_period_end FROM subscription WHERE id = :id", id=subscription_id
        )
        assert isinstance(found, datetime)
        return found

    def let_end(self, subscription_id: UUID) -> None:
        customer_id = self.shop.one("SELECT customer_id FROM subscription WHERE id = :id", id=subscription_id)
        command = self.shop.cancel(subscription_id, None, at_period_end=True, customer_id=customer_id)
        assert self.shop.tell(command) == ["applied"]

    def pay_renewal(self, subscription_id: UUID, period_start: datetime) -> None:
        customer_id = self.shop.one("SELECT customer_id FROM subscription WHERE id = :id", id=subscription_id)
        invoice_id, attempt_id = renewal_invoice_id(subscription_id, period_start), new_id()
        start = self.shop.start(attempt_id, invoice_id, customer_id=customer_id)
        paid = self.shop.paid(attempt_id, invoice_id, subscription_id, customer_id=customer_id)
        assert self.shop.tell(start, paid) == ["applied"] * 2

    def settle(self) -> list[str]:
        """Applies what waits in the journal, one by one; what became of each."""
        rows = self.shop.rows(
            "SELECT command_id, body_hash, kind, body FROM command_journal WHERE state = 'accepted'"
            " ORDER BY sequence"
        )
        told: list[Answer] = []
        for command_id, body_hash, kind, body in rows:
            received = Received(command_id, bytes(body_hash), decode_command(kind, 1, bytes(body)))
            told.extend(self.shop.apply([received]))
        return [said(answer) for answer in told]

    # -------------------------------------------------------------- looking

    def accepted(self) -> list[str]:
        """The kinds of cron's commands, in order."""
        rows = self.shop.rows(
            "SELECT kind FROM command_journal WHERE principal LIKE 'cron:%' ORDER BY sequence"
        )
        return [kind for (kind,) in rows]

    def reminders(self) -> list[tuple[UUID, str, int]]:
        """(subscription, kind, days before) in the order of their planning."""
        rows = self.shop.rows(
            "SELECT subject_id, kind, (facts ->> 'days_before')::int FROM notification"
            " WHERE kind IN ('renewal', 'period_end') ORDER BY planned_at, id"
        )
        return [(subject_id, kind, days) for subject_id, kind, days in rows]

    def renewal_invoices(self) -> list[tuple[UUID, datetime]]:
        rows = self.shop.rows(
            "SELECT subscription_id, period_start FROM invoice"
            " WHERE period_start IS NOT NULL AND state <> 'void'"
        )
        return [(subscription_id, period_start) for subscription_id, period_start in rows]

    def runs(self, job: str) -> list[tuple[str | None, int, str | None]]:
        """(outcome, done, problem), oldest due time first."""
        rows = self.shop.rows(
            "SELECT outcome, done, problem FROM job_run WHERE job = :job ORDER BY due_at", job=job
        )
        return [(outcome, done, problem) for outcome, done, problem in rows]
