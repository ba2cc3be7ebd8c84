"""What the dashboards say, as the JSON API answers it and the pages show it. Sums are in minor units."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from web.views import Money, View


class PeriodView(View):
    """Whole days of the studio's time zone, both ends included."""

    from_on: date
    to_on: date
    timezone: Annotated[str, Field(examples=["Europe/Moscow"])]


class Revenue(View):
    """What providers took and gave back in one currency, by the ledger; `net_minor` is the difference.

    Money that no invoice was found for is in it: the provider has taken it.
    """

    currency: str
    received_minor: int
    refunded_minor: int
    net_minor: int


class RevenueDay(Revenue):
    """One day's. Days without money are there in the studio's own currency."""

    on: date


class InvoicesInState(View):
    """All the studio's invoices that are in this state now, whatever the period."""

    state: Annotated[str, Field(examples=["paid"])]
    count: int


class FunnelStep(View):
    """How far attempts that were started in the period have come; the outcomes are those of now.

    `started` ≥ `page_shown`; the other steps are outcomes and add up to `started`.
    """

    step: Annotated[str, Field(examples=["succeeded"])]
    count: int


class DeclineReason(View):
    """Attempts started in the period by the reason of their last decline, paid later or not."""

    category: Annotated[str, Field(examples=["soft"])]
    code: Annotated[str, Field(examples=["5051"])]
    count: int


class SubscriptionsDay(View):
    """Subscriptions taken on this day and paid for since, and paid ones canceled on it."""

    on: date
    started: int
    canceled: int


class CountAndSum(View):
    count: int
    sum: Money


class Numbers(View):
    """What stands first. Ages are in seconds; without an unapplied command the age is null."""

    revenue: list[Revenue]
    active_subscriptions: int
    open_invoices: CountAndSum
    parked_commands: int
    unapplied_commands: int
    oldest_unapplied_command_age_seconds: int | None
    unapplied_money: list[CountAndSum]
    owed_refunds: list[CountAndSum]
    uncertain_attempts: Annotated[int, Field(description="Attempts that are unknown or pending.")]


class Charts(View):
    """The rows of each chart, of its table and of its CSV."""

    revenue_by_day: list[RevenueDay]
    invoices_by_state: list[InvoicesInState]
    payment_funnel: list[FunnelStep]
    declines: list[DeclineReason]
    subscriptions_by_day: list[SubscriptionsDay]


class UnappliedMoney(View):
    """Money that came and pays no invoice. `remaining` is what was not given back yet."""

    payment_id: UUID
    transaction_id: str
    received_at: datetime
    reason: Annotated[str, Field(examples=["unknown_order"])]
    amount: Money
    remaining: Money
    reserved: Annotated[Money, Field(description="What refunds that are on their way will take of it.")]


class OwedMoney(View):
    """Money of a payment that was promised back, that the provider declined, and that is still here."""

    payment_id: UUID
    transaction_id: str
    declined_at: datetime
    remaining: Money


class OpenCommand(View):
    """A command that was accepted and has no answer yet."""

    command_id: UUID
    kind: Annotated[str, Field(examples=["RecordPaymentOutcome"])]
    accepted_at: datetime
    age_seconds: int
    tries: int


class UncertainAttempt(View):
    """An attempt whose money may be moving: it is unknown or pending since `since`."""

    attempt_id: UUID
    invoice_id: UUID
    invoice_number: str | None
    state: Annotated[str, Field(examples=["unknown"])]
    amount: Money
    since: datetime


class Lists(View):
    """What waits for somebody, oldest first, at most LIST_LIMIT of each; the numbers have them all."""

    unapplied_money: list[UnappliedMoney]
    owed_refunds: list[OwedMoney]
    open_commands: list[OpenCommand]
    uncertain_attempts: list[UncertainAttempt]


class Dashboard(View):
    """The studio's numbers. `as_of` is the studio's own time; states are of that moment."""

    period: PeriodView
    as_of: datetime
    currency: str
    numbers: Numbers
    charts: Charts
    lists: Lists


# ---------------------------------------------------------------- the platform's


class TableVolume(View):
    """One big table with its indexes."""

    table: str
    bytes: int


class StudioNumbers(View):
    """One studio as the platform sees it: nobody of its customers, only how many.

    `invoices` counts the numbers given out. `bytes_estimate` is its share, by invoices, of the big tables.
    """

    studio_id: UUID
    name: str
    host: str
    timezone: str
    currency: str
    created_at: datetime
    owner_emails: list[str]
    customers: int
    staff: int
    invoices: int
    bytes_estimate: int
    is_active: Annotated[bool, Field(description="A command of it was applied in the period.")]


class StudioPaymentsDay(View):
    """What one studio's providers took on one day, in one currency."""

    on: date
    studio_id: UUID
    studio: str
    currency: str
    count: int
    received_minor: int


class PlatformNumbers(View):
    """Over all studios or the one asked for; the volume of the database is always the whole one."""

    studios: int
    active_studios: int
    customers: int
    staff: int
    database_bytes: int
    payments: list[CountAndSum]


class PlatformDashboard(View):
    """The platform's numbers; days are of the time zone of the platform's own studio."""

    period: PeriodView
    as_of: datetime
    studio_id: UUID | None
    numbers: PlatformNumbers
    volumes: list[TableVolume]
    studios: list[StudioNumbers]
    payments_by_studio_and_day: list[StudioPaymentsDay]


class PlatformUser(View):
    """A staff member of any studio."""

    staff_member_id: UUID
    studio_id: UUID
    studio: str
    email: str
    name: str
    role: str
    created_at: datetime
    deactivated_at: datetime | None


class StudioPage(View):
    """One page of studios; `next_cursor` is null on the last one."""

    items: list[StudioNumbers]
    next_cursor: UUID | None


class UserPage(View):
    """One page of staff; `next_cursor` is null on the last one."""

    items: list[PlatformUser]
    next_cursor: UUID | None
