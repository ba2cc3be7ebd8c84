"""What a verification reports: broken chains, differences with the provider, and what is no violation."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from storage.database import create_role_engine
from storage.event_chains import CHAIN
from storage.findings import FINDINGS_LIMIT
from storage.provider_ledger import PROVIDER
from storage.verification import ROLE, InvariantsMissing, ProviderEntry, verify
from tests.databases import Databases
from tests.integration.verify.history import PRICE_MINOR, PUBLIC_ID, History, make_history

LEDGER = [
    ProviderEntry(PUBLIC_ID, "1001", "capture", PRICE_MINOR, "RUB", "order"),
    ProviderEntry(PUBLIC_ID, "1002", "capture", PRICE_MINOR, "RUB", "order"),
    ProviderEntry(PUBLIC_ID, "1003", "capture", 7_000, "RUB", "order"),
    ProviderEntry(PUBLIC_ID, "1004", "capture", PRICE_MINOR, "RUB", "order"),
    ProviderEntry(PUBLIC_ID, "1005", "capture", PRICE_MINOR, "RUB", "order"),
    ProviderEntry(PUBLIC_ID, "2001", "refund", 40_000, "RUB", "order"),
    ProviderEntry(PUBLIC_ID, "2002", "refund", 50_000, "RUB", "order"),
    ProviderEntry(PUBLIC_ID, "2003", "refund", 9_000, "RUB", "order"),
]


def _of_visits(history: History) -> list[ProviderEntry]:
    return [
        ProviderEntry(PUBLIC_ID, transaction_id, operation, amount_minor, "RUB", "order")
        for transaction_id, operation, amount_minor in history.visits.transactions
    ]


@pytest.fixture
def verifier(history: History) -> Iterator[Engine]:
    engine = create_role_engine(history.url, ROLE, "test")
    yield engine
    engine.dispose()


def _broken(engine: Engine, entries: list[ProviderEntry] | None = None) -> dict[str, list[str]]:
    report = verify(engine, settled=True, provider_entries=entries)
    return {check.name: [finding.fault for finding in check.findings] for check in report.violations}


def test_faultless_history_at_rest_agrees_with_the_provider(verifier: Engine, history: History) -> None:
    report = verify(verifier, settled=True, provider_entries=[*LEDGER, *_of_visits(history)])
    assert report.is_clean
    assert report.event_count > 20
    assert {CHAIN, PROVIDER} < {check.name for check in report.checks}


def test_what_is_only_true_at_rest_is_asked_only_at_rest(verifier: Engine) -> None:
    names = {check.name for check in verify(verifier).checks}
    assert names
    assert not any(name.startswith("settled_") for name in names)


def test_unapplied_money_is_named_and_is_no_violation(verifier: Engine, history: History) -> None:
    (unapplied,) = verify(verifier).unapplied
    assert unapplied.payment_id == history.unapplied_payment_id
    assert (unapplied.amount_minor, unapplied.refunded_minor) == (PRICE_MINOR, 40_000)
    assert unapplied.reason == "paid_twice"


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        (LEDGER[1:], "149000 RUB is only in the books"),
        (LEDGER[:-1], "9000 RUB is only in the books"),
        ([*LEDGER, replace(LEDGER[0], transaction_id="1009")], "149000 RUB for order is not in the books"),
        ([*LEDGER, LEDGER[0]], "149000 RUB for order is not in the books"),
        ([replace(LEDGER[0], amount_minor=1), *LEDGER[1:]], "1 RUB for order is in the books as 149000 RUB"),
        (
            [replace(LEDGER[0], currency="USD"), *LEDGER[1:]],
            "149000 USD for order is in the books as 149000 RUB",
        ),
    ],
)
def test_difference_with_the_provider_is_found(
    verifier: Engine, history: History, entries: list[ProviderEntry], fault: str
) -> None:
    assert _broken(verifier, [*entries, *_of_visits(history)]) == {PROVIDER: [fault]}


@pytest.mark.parametrize(
    "change",
    [
        """facts = facts || '{"amount_minor": 1}'""",
        "occurred_at = occurred_at + interval '1 microsecond'",
        "correlation_id = 'another'",
        "hash = sha256('another')",
    ],
)
def test_changed_event_breaks_its_chain(databases: Databases, change: str) -> None:
    with databases.fresh() as url:
        history = make_history(url)
        with history.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            where = {"id": history.paid_attempt_id}
            statement = f"UPDATE state_event SET {change} WHERE aggregate_id = :id AND version = 1"  # noqa: S608
            connection.execute(text(statement.replace('": ', r'"\: ')), where)
        engine = create_role_engine(url, ROLE, "test")
        assert CHAIN in _broken(engine)
        engine.dispose()


def test_findings_are_bounded_and_counted(databases: Databases) -> None:
    with databases.fresh() as url:
        history = make_history(url)
        with history.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql(
                "INSERT INTO outbox (id, studio_id, channel, kind, schema_version, body, correlation_id,"
                " causation_id, created_at) SELECT gen_random_uuid(), s.id, 'task', 'x', 1, '1', '',"
                " gen_random_uuid(), now() FROM studio s, generate_series(1, 70)"
            )
        engine = create_role_engine(url, ROLE, "test")
        checks = {check.name: check for check in verify(engine).violations}
        engine.dispose()
    check = checks["always_outbox_of_applied_command"]
    assert (check.count, len(check.findings)) == (70, FINDINGS_LIMIT)


def test_database_without_invariants_proves_nothing(databases: Databases) -> None:
    with databases.fresh(migrated=False) as url:
        engine = create_role_engine(url, ROLE, "test")
        with pytest.raises(InvariantsMissing):
            verify(engine)
        engine.dispose()
