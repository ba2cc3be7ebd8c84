"""The demo studio as the run stack meets it: is the database free for it, and where the twin calls it back.

Called by `runtime.stack` only. The studio itself is made by `billbus demo seed`; nothing here knows its rows.
"""

import json
import re
import urllib.error
import urllib.request

import psycopg

from runtime.stack_crew import StackFailed
from runtime.stack_services import TWIN_TERMINAL, Ground

DEMO_HOST = "localhost"
DEMO_STAFF = "owner@example.org"
CALLBACKS = ("check", "pay", "fail", "refund")
CONNECT_SECONDS_MAX = 10
REQUEST_SECONDS_MAX = 10.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def libpq_url(url: str) -> str:
    """Without the driver that SQLAlchemy is told after the scheme."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def refuse_foreign_database(database_url: str) -> None:
    """Raises StackFailed if the database cannot be reached or belongs to somebody else's studio."""
    try:
        with psycopg.connect(libpq_url(database_url), connect_timeout=CONNECT_SECONDS_MAX) as connection:
            known = connection.execute("SELECT to_regclass('studio') IS NOT NULL").fetchone()
            if not known or not known[0]:
                return
            foreign = connection.execute(
                "SELECT host FROM studio WHERE host <> %s ORDER BY host LIMIT 1", [DEMO_HOST]
            ).fetchone()
    except psycopg.Error as error:
        raise StackFailed(f"The database of DATABASE_URL cannot be used: {str(error).strip()}") from error
    if foreign is not None:
        raise StackFailed(
            f"The database of DATABASE_URL holds the studio of {foreign[0]}, and ./run plays a demo in it:"
            " give it an empty database, or unset DATABASE_URL."
        )


def register_at_twin(ground: Ground) -> None:
    """Tells the twin where this installation hears callbacks. Raises StackFailed."""
    account_id = _provider_account_id(ground.database_url)
    base = f"http://127.0.0.1:{ground.ports['client_api']}/callbacks/cloudpayments/{account_id}"
    site = {
        "secret": ground.secrets.provider_secret,
        "is_test": True,
        "callbacks": {name: f"{base}/{name}" for name in CALLBACKS},
    }
    request = urllib.request.Request(  # noqa: S310  # our own loopback address
        f"{ground.twin_url}/_twin/sites/{TWIN_TERMINAL}",
        method="PUT",
        data=json.dumps(site).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        _DIRECT.open(request, timeout=REQUEST_SECONDS_MAX).close()
    except urllib.error.URLError as error:
        raise StackFailed(f"The twin does not take our callback addresses: {error}") from error


def _provider_account_id(database_url: str) -> str:
    with psycopg.connect(libpq_url(database_url), connect_timeout=CONNECT_SECONDS_MAX) as connection:
        row = connection.execute(
            "SELECT id FROM provider_account WHERE public_id = %s", [TWIN_TERMINAL]
        ).fetchone()
    if row is None:
        raise StackFailed("The demo studio has no provider account: see its log.")
    return str(row[0])
