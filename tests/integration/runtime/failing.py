"""A process that fails in one way, for the tests of error reporting: `python failing.py HOW DATABASE_URL`."""

import sys
import threading
import time

import psycopg
import structlog
from pydantic import BaseModel
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from runtime.error_reporting import begin_logging
from runtime.logging import bind
from runtime.settings import ProcessSettings, load_settings

SECRET = "s3cret-value"


class Card(BaseModel):
    number: int


def insert_twice() -> None:
    """A unique key that is there already: the driver's text quotes the row, SQLAlchemy's the parameters."""
    engine = create_engine(make_url(sys.argv[2]).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE person (email text PRIMARY KEY)"))
        for _ in range(2):
            connection.execute(text("INSERT INTO person VALUES (:email)"), {"email": SECRET})


def query_badly() -> None:
    with psycopg.connect(sys.argv[2]) as connection:
        connection.execute("SELECT %s::text::uuid", [SECRET])


def validate() -> None:
    Card.model_validate({"number": SECRET})


def connect_nowhere() -> None:
    raise ConnectionError(f"no answer from postgresql://billbus:{SECRET}@db/billbus")


def outer() -> None:
    try:
        validate()
    except ValueError as error:
        raise RuntimeError("could not read the card") from error


WAYS = {
    "row": insert_twice,
    "query": query_badly,
    "validation": validate,
    "url": connect_nowhere,
    "cause": outer,
}


def main() -> None:
    begin_logging("failing", load_settings(ProcessSettings))
    log = structlog.get_logger("room")
    how = sys.argv[1]
    if how == "unhandled":
        outer()
    if how == "thread":
        thread = threading.Thread(target=outer, name="second")
        thread.start()
        thread.join()
    elif how == "many":
        began_at = time.monotonic()
        for _ in range(1_000):
            log.error("broke", exc_info=ValueError("x"))
        sys.stdout.write(f'{{"took":{time.monotonic() - began_at}}}\n')
    elif how == "quiet":
        log.error("no exception")
        log.warning("expected", exc_info=ValueError("x"))
    elif how == "none":
        log.error("broke", exc_info=ValueError("x"))
    elif how in WAYS:
        with bind(correlation_id="trace-1"):
            local_secret = SECRET
            try:
                WAYS[how]()
            except Exception:
                log.exception("%s broke", how, password=local_secret)


if __name__ == "__main__":
    main()
