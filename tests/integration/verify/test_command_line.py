"""`billbus` as an operator runs it, on a real database."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from typer.testing import CliRunner, Result

from cli.demo import DEMO_STUDIO_ID, OFFERS
from cli.main import app
from storage.sealing import new_sealing_key
from tests.databases import Databases, owner_engine
from tests.integration.verify.booking_plants import BOOKING_PLANTS
from tests.integration.verify.history import PRICE_MINOR, PUBLIC_ID, History, make_history

ROOT = Path(__file__).resolve().parents[3]
KEY = new_sealing_key()


def _run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"DATABASE_URL": url, "SEALING_KEY": KEY, "COLUMNS": "200"})


def _seed(url: str, api_url: str) -> Result:
    script = ("--widget-script-url", f"{api_url}/w.js")
    return _run(url, "demo", "seed", "--public-id", "pk", "--secret", "hush", "--api-url", api_url, *script)


def test_bootstrap_brings_an_empty_database_to_head_and_may_be_repeated(databases: Databases) -> None:
    with databases.fresh(migrated=False) as url:
        assert "schema: nothing -> " in _run(url, "db", "bootstrap").output
        assert "schema: at " in _run(url, "db", "bootstrap").output
        assert _run(url, "verify", "--settled").exit_code == 0


def test_demo_is_seeded_once_and_its_addresses_follow(database_url: str) -> None:
    for api_url in ("http://127.0.0.1:1", "http://127.0.0.1:2"):
        done = _seed(database_url, api_url)
        assert done.exit_code == 0, done.output
        assert done.output.strip() == str(DEMO_STUDIO_ID)
        assert "hush" not in done.output
    counts = text("""
        SELECT (SELECT count(*) FROM studio), (SELECT count(*) FROM plan), (SELECT count(*) FROM price),
            (SELECT count(*) FROM ledger_account), (SELECT string_agg(api_url, ' ') FROM provider_account)
    """)
    with owner_engine(database_url).connect() as connection:
        row = connection.execute(counts).one()
    assert row == (1, len(OFFERS), len(OFFERS), 5, "http://127.0.0.1:2")


def test_studio_is_created_with_its_accounts(database_url: str) -> None:
    arguments = ("--name", "Зал", "--host", "Hall.Example", "--timezone", "Asia/Omsk")
    done = _run(database_url, "studio", "create", *arguments)
    assert done.exit_code == 0, done.output
    query = text(
        "SELECT s.id::text, s.host, s.currency, count(a.id) FROM studio s"
        " JOIN ledger_account a ON a.studio_id = s.id GROUP BY s.id"
    )
    with owner_engine(database_url).connect() as connection:
        assert connection.execute(query).one() == (done.output.strip(), "hall.example", "RUB", 5)


def test_unknown_time_zone_is_refused(database_url: str) -> None:
    done = _run(database_url, "studio", "create", "--name", "x", "--host", "x", "--timezone", "Mars/Base")
    assert done.exit_code == 2
    assert "no IANA time zone" in done.output


def test_machines_diff_shows_and_writes_the_difference(database_url: str) -> None:
    with owner_engine(database_url).begin() as connection:
        connection.execute(text("DELETE FROM machine_transition WHERE to_state = 'expired'"))
        connection.execute(text("INSERT INTO machine_transition VALUES ('invoice', 'void', 'open')"))
    shown = _run(database_url, "machines", "diff")
    assert shown.exit_code == 1
    assert "+ ('invoice', 'open', 'expired')\n- ('invoice', 'void', 'open')" in shown.output
    assert _run(database_url, "machines", "diff", "--write").exit_code == 0
    assert "agree" in _run(database_url, "machines", "diff").output


def test_verify_is_clean_and_names_unapplied_money(history: History) -> None:
    done = _run(history.url, "verify", "--settled")
    assert done.exit_code == 0, done.output
    assert "109000 RUB (minor units), transaction 1002: paid_twice" in done.output
    assert done.output.rstrip().endswith("clean")


def test_verify_finds_a_hall_that_is_taken_twice(databases: Databases) -> None:
    with databases.fresh() as url:
        history = make_history(url)
        plant = next(plant for view, plant in BOOKING_PLANTS if view == "always_no_hall_is_taken_twice")
        with history.engine.begin() as connection:
            connection.exec_driver_sql(plant.format(paid_id=f"'{history.visits.paid_id}'"))
        done = _run(url, "verify")
    assert done.exit_code == 1
    assert "always_no_hall_is_taken_twice" in done.output
    assert str(history.visits.hall_id) in done.output


def test_verify_fails_on_a_ledger_that_differs(history: History, tmp_path: Path) -> None:
    row = {
        "transaction_id": 1001,
        "operation": "Payment",
        "status": "Completed",
        "public_id": PUBLIC_ID,
        "amount_minor": PRICE_MINOR,
        "currency": "RUB",
        "invoice_id": "order",
    }
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(json.dumps({"transaction": row}) + "\n")
    done = _run(history.url, "verify", "--twin-ledger", str(ledger))
    assert done.exit_code == 1
    assert f"capture 1002 at {PUBLIC_ID}: {PRICE_MINOR} RUB is only in the books" in done.output
    assert f"capture 1001 at {PUBLIC_ID}" not in done.output


@pytest.mark.parametrize("words", ["verify", "bus parked list", "cron run renewal"])
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://nobody:hush@127.0.0.1:1/x", "billbus: the database does not do it"),
        ("", "billbus: DATABASE_URL"),
    ],
)
def test_what_a_person_can_mend_is_a_sentence(url: str, sentence: str, words: str) -> None:
    environment = {"PATH": os.defpath} | ({"DATABASE_URL": url} if url else {})
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words.split()],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr


@pytest.mark.parametrize("words", ["refunds list", "staff list --host a.example.org", "db bootstrap"])
def test_a_login_without_the_right_is_told_in_a_sentence_who_has_it(database_url: str, words: str) -> None:
    login = f"guest_{secrets.token_hex(4)}"
    with owner_engine(database_url).begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {login} LOGIN PASSWORD 'hush'")
    url = make_url(database_url).set(username=login, password="hush").render_as_string(hide_password=False)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *words.split()],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            env={"PATH": os.defpath, "DATABASE_URL": url},
        )
    finally:
        with owner_engine(database_url).begin() as connection:
            connection.exec_driver_sql(f"DROP ROLE {login}")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("billbus: this login lacks the right (")
    assert "migrate" in line
