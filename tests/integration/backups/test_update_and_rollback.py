"""An update, its way back and the update again, on a database with a past; and what a way back costs."""

from pathlib import Path

from sqlalchemy import text
from typer.testing import CliRunner, Result

from bus.messages import InvoiceLine, IssueInvoice
from cli.demo import DEMO_STUDIO_ID
from cli.main import app
from kit.ids import new_id
from models import migrate
from storage.database import create_role_engine
from storage.verification import ROLE, verify
from tests.databases import owner_engine
from tests.integration.backups.shop import open_shop
from tests.integration.verify.history import History, make_history

ONE_BEFORE, BEFORE = "0004", "0003"
LOST = (
    "booking,check_admission,event_log,extra,extra_use,hall,invoice.booking_id,invoice.period_end,"
    "invoice.period_start,job_run.done,job_run.problem,notification,occupancy,studio.cancellation_terms,"
    "studio.hold_seconds,studio.holds_limit,studio.late_money,studio.on_site_limit,studio.pays_on_site,"
    "studio.quote_seconds,studio.reschedule_hours_before,studio.staff_hold_seconds,subscription.anchor_at,"
    "subscription.cancel_at_period_end,tariff"
)
# Beside what the history has: messages in every state, the log, consumers that only the new version has.
_FILL = (
    """
    INSERT INTO notification (id, studio_id, customer_id, kind, channel, subject_id, occasion, facts,
        causation_id, correlation_id, due_at, state, finished_at)
    SELECT gen_random_uuid(), studio_id, id, 'renewal', 'email', gen_random_uuid(), state, '{}',
        gen_random_uuid(), 'test', now(), state, CASE WHEN state = 'planned' THEN NULL ELSE now() END
    FROM customer, unnest(ARRAY['planned', 'sent', 'superseded', 'failed']) AS state
    """,
    """
    INSERT INTO outbox (id, studio_id, channel, kind, schema_version, body, correlation_id, causation_id,
        created_at)
    SELECT gen_random_uuid(), studio_id, 'event', 'notification.failed', 1, '{}', 'test', id, now()
    FROM notification WHERE state = 'failed'
    """,
    """
    INSERT INTO event_log (event_id, studio_id, kind, schema_version, is_error, subject_id, body,
        correlation_id, occurred_at)
    SELECT id, studio_id, kind, 1, false, id, body, correlation_id, created_at FROM outbox
    WHERE channel = 'event'
    """,
    """
    INSERT INTO inbox (consumer, event_id, studio_id, kind, schema_version, body, correlation_id)
    SELECT consumer, id, studio_id, kind, 1, '', correlation_id
    FROM outbox, unnest(ARRAY['integrations', 'notifications']) AS consumer WHERE channel = 'event'
    """,
    """
    INSERT INTO job_run (job, due_at, started_at, finished_at, outcome, problem)
    VALUES ('backup', now(), now(), now(), 'failed', 'No space left on device')
    """,
    """
    UPDATE command_journal SET state = 'parked', problem = '{"code": "invariant_violated"}'
    WHERE command_id = (SELECT command_id FROM command_journal WHERE state = 'refused' LIMIT 1)
    """,
)
# What the new columns say of subscriptions and invoices: it is in the chain of events as well.
_TERMS = """
    SELECT 'invoice', id::text, period_start::text, period_end::text FROM invoice
    WHERE period_start IS NOT NULL
    UNION ALL SELECT 'subscription', id::text, anchor_at::text, cancel_at_period_end::text FROM subscription
"""


def test_update_way_back_and_update_again_keep_the_books(each_database_url: str) -> None:
    history = make_history(each_database_url, with_visits=False)
    _fill(history)
    _expect_clean(history)
    terms = _terms(history)
    assert {kind for kind, *_ in terms} == {"invoice", "subscription"}
    assert "true" in {term[3] for term in terms}
    for before in (ONE_BEFORE, BEFORE):
        migrate.downgrade(history.url, before)
        _expect_clean(history)
        migrate.upgrade(history.url)
        _expect_clean(history)
        assert _terms(history) == terms
        _go_on(history)
        _expect_clean(history)


def test_old_version_finds_no_event_that_it_cannot_read(database_url: str) -> None:
    history = make_history(database_url, with_visits=False)
    _fill(history)
    migrate.downgrade(history.url, BEFORE)
    with history.engine.connect() as connection:
        kinds = set(connection.scalars(text("SELECT DISTINCT kind FROM outbox WHERE channel = 'event'")))
        waiting = connection.scalar(text("SELECT count(*) FROM inbox WHERE state = 'waiting'"))
    assert kinds.isdisjoint(
        {"subscription.renewed", "subscription.ending", "command.parked", "notification.failed"}
    )
    assert waiting == 0


def test_command_names_what_a_way_back_loses_and_does_nothing_unasked(database_url: str) -> None:
    history = make_history(database_url, with_visits=False)
    _fill(history)
    shown = _downgrade(history.url, BEFORE)
    assert shown.exit_code == 1
    assert "lost: notification (4 rows)" in shown.output
    assert f"To go back and lose it: --lose {LOST}" in shown.output
    wrong = _downgrade(history.url, BEFORE, "--lose", "notification")
    assert (wrong.exit_code, migrate.current(history.url)) == (1, migrate.head())
    done = _downgrade(history.url, BEFORE, "--lose", LOST)
    assert (done.exit_code, migrate.current(history.url)) == (0, BEFORE)
    assert f"schema: {migrate.head()} -> {BEFORE}" in done.output


def test_what_bookings_did_cannot_be_taken_back(database_url: str) -> None:
    make_history(database_url)
    refused = _downgrade(database_url, ONE_BEFORE)
    assert isinstance(refused.exception, migrate.MigrationRefused)
    assert str(refused.exception).startswith("There are bookings: ")
    assert migrate.current(database_url) == migrate.head()


def test_revision_that_nobody_knows_is_a_sentence(database_url: str) -> None:
    shown = _downgrade(database_url, "0099")
    assert shown.exit_code == 2
    assert "0099" in shown.output


def test_backup_of_the_old_version_is_proven_by_the_new_one(database_url: str, tmp_path: Path) -> None:
    make_history(database_url, with_visits=False)
    shop = open_shop(database_url, tmp_path)
    migrate.downgrade(shop.url, BEFORE)
    taken = shop.take()
    migrate.upgrade(shop.url)
    assert shop.drill(taken).event_count > 20


def _downgrade(url: str, *arguments: str) -> Result:
    environment = {"DATABASE_URL": url, "COLUMNS": "400"}
    return CliRunner().invoke(app, ["db", "downgrade", *arguments], env=environment)


def _fill(history: History) -> None:
    with history.engine.begin() as connection:
        for statement in _FILL:
            connection.execute(text(statement))


def _go_on(history: History) -> None:
    """The version that was put in its place again takes commands."""
    line = InvoiceLine(description="Зал", quantity=1, unit_amount_minor=10_000)
    issued = IssueInvoice(
        studio_id=DEMO_STUDIO_ID, customer_id=history.customer_id, invoice_id=new_id(), lines=(line,)
    )
    history.apply(issued, "staff:test")


def _terms(history: History) -> list[tuple[str, str, str, str]]:
    with owner_engine(history.url).connect() as connection:
        return sorted(tuple(row) for row in connection.execute(text(_TERMS)))


def _expect_clean(history: History) -> None:
    engine = create_role_engine(history.url, ROLE, "billbus test")
    try:
        report = verify(engine)
    finally:
        engine.dispose()
    assert [(check.name, check.findings) for check in report.violations] == []
