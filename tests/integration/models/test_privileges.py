"""Who writes what, as a literal table against the database's own account of it."""

import pytest
from sqlalchemy import text

from models.roles import ROLES
from tests.databases import owner_engine

# role -> {"VERB table": columns, or "*" for all of them}
WRITES: dict[str, dict[str, str]] = {
    "billbus_api": {
        "INSERT customer": "*",
        "INSERT session": "*",
        "INSERT command_journal": "*",
        "INSERT callback_inbox": "*",
        "INSERT audit": "*",
        "UPDATE session": "revoked_at rotated_at",
        "UPDATE customer": "password_hash",
        "INSERT sign_in_failure": "*",
        "UPDATE sign_in_failure": "*",
        "INSERT check_admission": "*",
        "UPDATE check_admission": "lapsed_at",
    },
    "billbus_admin": {
        "INSERT studio": "*",
        "INSERT ledger_account": "*",
        "INSERT staff_member": "*",
        "INSERT session": "*",
        "INSERT invitation": "*",
        "INSERT customer": "*",
        "INSERT customer_note": "*",
        "INSERT plan": "*",
        "INSERT price": "*",
        "INSERT provider_account": "*",
        "INSERT command_journal": "*",
        "INSERT audit": "*",
        "INSERT sign_in_failure": "*",
        "UPDATE sign_in_failure": "*",
        "UPDATE staff_member": "deactivated_at locale name password_hash role",
        "UPDATE session": "revoked_at",
        "UPDATE invitation": "accepted_at revoked_at",
        "UPDATE plan": "description is_active name",
        "UPDATE provider_account": "api_url is_active sealed_secret widget_script_url",
        "UPDATE studio": "allowed_origins cancellation_terms hold_seconds holds_limit late_money"
        " on_site_limit pays_on_site quote_seconds reschedule_hours_before staff_hold_seconds",
        "INSERT hall": "*",
        "INSERT tariff": "*",
        "INSERT extra": "*",
        "UPDATE hall": "buffer_after_minutes buffer_before_minutes capacity description equipment"
        " horizon_days hours is_active minutes_max minutes_min name notice_minutes position step_minutes",
        "UPDATE extra": "amount_minor is_active name stock",
        "UPDATE command_journal": "answered_at problem publish_count republish_at result state tries",
    },
    "billbus_updater": {
        "INSERT subscription": "*",
        "INSERT invoice": "*",
        "INSERT invoice_counter": "*",
        "INSERT invoice_line": "*",
        "INSERT payment_attempt": "*",
        "INSERT provider_payment": "*",
        "INSERT refund": "*",
        "INSERT booking": "*",
        "INSERT occupancy": "*",
        "INSERT extra_use": "*",
        "INSERT ledger_account": "*",
        "INSERT ledger_transfer": "*",
        "INSERT state_event": "*",
        "INSERT outbox": "*",
        "UPDATE subscription": "*",
        "UPDATE invoice": "*",
        "UPDATE invoice_counter": "*",
        "UPDATE payment_attempt": "*",
        "UPDATE provider_payment": "*",
        "UPDATE refund": "*",
        "UPDATE booking": "*",
        "UPDATE occupancy": "kind released_at",
        "UPDATE extra_use": "released_at",
        "UPDATE check_admission": "closed_at",
        "UPDATE command_journal": "answered_at problem publish_count republish_at result state tries",
    },
    "billbus_relay": {
        "UPDATE command_journal": "publish_count republish_at",
        "UPDATE outbox": "claimed_until publish_count published_at",
        "INSERT inbox": "*",
        "UPDATE inbox": "*",
    },
    "billbus_worker": {
        "INSERT provider_call": "*",
        "UPDATE provider_call": "*",
        "INSERT command_journal": "*",
        "INSERT outbox": "*",
        "UPDATE notification": "claimed_until due_at finished_at problem state tries",
    },
    "billbus_events": {
        "UPDATE inbox": "*",
        "INSERT event_log": "*",
        "UPDATE event_log": "index_due_at index_problem index_tries indexed_at",
        "INSERT notification": "*",
        "UPDATE notification": "finished_at problem state",
    },
    "billbus_cron": {
        "INSERT command_journal": "*",
        "INSERT notification": "*",
        "INSERT job_run": "*",
        "UPDATE job_run": "*",
    },
    "billbus_verify": {},
    "billbus_platform": {},
}

_COLUMN_PRIVILEGES = text("""
    SELECT p.grantee, p.privilege_type || ' ' || p.table_name,
        CASE WHEN count(*) = (
            SELECT count(*) FROM information_schema.columns c
            WHERE c.table_schema = 'public' AND c.table_name = p.table_name)
        THEN '*' ELSE string_agg(p.column_name, ' ' ORDER BY p.column_name COLLATE "C") END
    FROM information_schema.column_privileges p
    WHERE p.table_schema = 'public' AND p.grantee = ANY(:roles) AND p.privilege_type IN ('INSERT', 'UPDATE')
    GROUP BY p.grantee, p.privilege_type, p.table_name
""")
_TABLE_PRIVILEGES = text("""
    SELECT grantee, privilege_type || ' ' || table_name FROM information_schema.table_privileges
    WHERE grantee = ANY(:roles) AND privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE')
""")


def test_table_names_every_role() -> None:
    assert set(WRITES) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_role_writes_what_the_table_says(database_url: str, role: str) -> None:
    with owner_engine(database_url).connect() as connection:
        rows = connection.execute(_COLUMN_PRIVILEGES, {"roles": [role]})
        assert {what: columns for _, what, columns in rows} == WRITES[role]


def test_nobody_deletes_truncates_or_owns(database_url: str) -> None:
    with owner_engine(database_url).connect() as connection:
        assert connection.execute(_TABLE_PRIVILEGES, {"roles": list(ROLES)}).all() == []


# Hashes and sealed secrets, and the only roles that may look at them.
SECRETS = {
    "customer.password_hash": {"billbus_api"},
    "provider_account.sealed_secret": {"billbus_api", "billbus_worker"},
    "session.token_hash": {"billbus_api", "billbus_admin"},
    "staff_member.password_hash": {"billbus_admin"},
    "invitation.token_hash": {"billbus_admin"},
    "payment_method.sealed_token": {"billbus_api"},
}


@pytest.mark.parametrize("column", SECRETS)
def test_secret_is_read_where_it_is_used_and_nowhere_else(database_url: str, column: str) -> None:
    table, _, name = column.partition(".")
    question = text("""
        SELECT role FROM unnest(CAST(:roles AS text[])) AS role
        WHERE has_column_privilege(role, :table, :name, 'SELECT')
    """)
    with owner_engine(database_url).connect() as connection:
        readers = connection.scalars(question, {"roles": list(ROLES), "table": table, "name": name})
        assert set(readers) == SECRETS[column]
