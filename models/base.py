"""What every table class shares: how Python types are stored, and the names Postgres gives constraints.

A test compares these classes with a migrated database, down to each constraint and default.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, mapped_column

JsonObject = dict[str, object]
JsonList = list[dict[str, object]]
Currency = Annotated[str, mapped_column(CHAR(3))]
AmountMinor = Annotated[int, mapped_column(BigInteger)]
Long = Annotated[int, mapped_column(BigInteger)]
Small = Annotated[int, mapped_column(SmallInteger)]
Key = Annotated[UUID, mapped_column(primary_key=True)]
# Order of arrival, given by Postgres.
Sequence = Annotated[int, mapped_column(BigInteger, Identity(always=True))]
# When the row was written, by the database's clock.
WrittenAt = Annotated[datetime, mapped_column(server_default=text("clock_timestamp()"))]
Count = Annotated[int, mapped_column(server_default=text("0"))]


class Base(DeclarativeBase):
    """The registry of all tables."""

    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's own way to say it
        UUID: Uuid(),
        str: Text(),
        int: Integer(),
        bytes: LargeBinary(),
        datetime: TIMESTAMP(timezone=True),
        JsonObject: JSONB(),
        JsonList: JSONB(),
        list[str]: ARRAY(Text()),
    }
    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "ck": "%(constraint_name)s",
        }
    )


def tenant_key(column: str, table: str) -> ForeignKeyConstraint:
    """A foreign key that carries the studio: no row can point into another one."""
    return ForeignKeyConstraint(["studio_id", column], [f"{table}.studio_id", f"{table}.id"])


def studio_currency() -> ForeignKeyConstraint:
    """A studio has one currency, and this row is in it."""
    return ForeignKeyConstraint(["studio_id", "currency"], ["studio.id", "studio.currency"])


def check(name: str, condition: str) -> CheckConstraint:
    """A CHECK under the name that Postgres gave it."""
    return CheckConstraint(condition, name=name)
