"""The spine: every table of subscriptions, invoices, payments, refunds, books, events and the bus."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

# In an order in which foreign keys allow it.
TABLES = """
job_run callback_inbox inbox outbox command_journal audit state_event ledger_transfer ledger_account
provider_call refund provider_payment payment_attempt payment_method provider_account invoice_line invoice
invoice_counter subscription machine_transition price plan session staff_member customer clock_offset studio
""".split()  # noqa: SIM905  # the order matters, and reads in lines

FUNCTIONS = [
    "check_machine_transition()",
    "refuse_change()",
    "studio_of_host(text)",
    "studio_of_provider_account(uuid)",
]


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text("utf-8").replace(":", r"\:"))


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
