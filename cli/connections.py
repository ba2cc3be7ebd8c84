"""Connections for commands that run as the owner of the tables: DATABASE_URL says who that is."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from runtime.settings import ProcessSettings, SealingKey, load_settings

CONNECT_TIMEOUT_SECONDS = 5


class SeedSettings(ProcessSettings):
    """What seeding needs beside the database: the key that seals providers' secrets."""

    sealing_key: SealingKey


def database_url() -> str:
    """DATABASE_URL, or the end of the process with a sentence."""
    return load_settings(ProcessSettings).database_url.get_secret_value()


@contextmanager
def owner_connection(url: str) -> Iterator[Connection]:
    """One transaction as the login itself, under no role; commits at the end."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": "billbus cli"},
    )
    with engine.begin() as connection:
        yield connection
