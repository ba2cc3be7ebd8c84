"""The invariants: views that return the rows which must not be. They hold nothing, so they drop whole."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text("utf-8").replace(":", r"\:"))


def downgrade() -> None:
    op.execute("DROP SCHEMA invariant CASCADE")
