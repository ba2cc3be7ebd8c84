"""Backups are whole or not there, and tell nobody without the key anything of anybody."""

import json
import re
import resource
import secrets
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from backups.encryption import read_identities
from backups.failures import BackupFailed
from backups.restoring import restore
from backups.taking import list_backups, take_backup
from models.roles import ROLES
from runtime.lifeline import DirectoryLock
from tests.integration.backups.shop import MORNING, ROOT, Shop, quiet

POLL_SECONDS = 0.01
WAIT_SECONDS_MAX = 30.0
FILE_BYTES_MAX = 100_000
_MONEY = """
    SELECT (SELECT sum(paid_minor) FROM invoice)::int, sum(amount_minor)::int, sum(refunded_minor)::int
    FROM provider_payment
"""


def _wait_until(happened: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not happened():
        assert time.monotonic() < deadline, f"it never happened that {what}"
        time.sleep(POLL_SECONDS)


def test_backup_is_three_files_for_its_owner_alone(shop: Shop) -> None:
    taken = shop.take()
    assert taken == shop.directory / "billbus-20261121T033000Z"
    assert shop.names == [taken.name]
    assert stat.S_IMODE(taken.stat().st_mode) == 0o700
    files = sorted(path.name for path in taken.iterdir())
    assert files == ["configuration.tar.age", "database.dump.age", "manifest.json"]
    assert all(stat.S_IMODE((taken / name).stat().st_mode) == 0o600 for name in files[:2])


def test_manifest_has_sums_and_nothing_personal_or_secret(shop: Shop) -> None:
    words = (shop.take() / "manifest.json").read_text()
    books = json.loads(words)["books"]
    totals = {one["of"]: one["amount_minor"] for one in books["totals"]}
    with psycopg.connect(shop.url) as connection:
        money = connection.execute(_MONEY).fetchone()
    assert money == (totals["paid invoices"], totals["provider payments"], totals["given back"])
    assert money > (0, 0, 0)
    assert books["row_counts"]["payment_attempt"] >= 3
    assert "alembic_version" in books["row_counts"]
    password = make_url(shop.url).password
    for hidden in ("payer@example.org", "Payer", "Синкопа", shop.sealing_key, str(password)):
        assert hidden not in words


def test_no_byte_on_the_disk_is_plain(shop: Shop) -> None:
    taken = shop.take()
    everything = b"".join(path.read_bytes() for path in taken.iterdir())
    for plain in (b"PGDMP", b"payer@example.org", shop.sealing_key.encode()):
        assert plain not in everything


def test_rotation_takes_old_backups_and_nothing_else(shop: Shop) -> None:
    (shop.directory / "billbus-notes.txt").write_text("mine")
    (shop.directory / "billbus-20200101T000000Z.kept").mkdir()
    (shop.directory / "billbus-20200101T000000Z").symlink_to(shop.place)
    settings = shop.settings(backup_keep_daily=2, backup_keep_weekly=0, backup_keep_monthly=0)
    taken = [take_backup(settings, MORNING + timedelta(days=day)).name for day in range(3)]
    strangers = ["billbus-20200101T000000Z", "billbus-20200101T000000Z.kept", "billbus-notes.txt"]
    assert shop.names == sorted([*strangers, *taken[1:]])
    assert [one.name for one in list_backups(shop.directory)] == taken[1:]


def test_backup_that_a_clock_dates_back_is_not_taken_in_vain(shop: Shop) -> None:
    settings = shop.settings(backup_keep_daily=1, backup_keep_weekly=0, backup_keep_monthly=0)
    ahead = take_backup(settings, MORNING + timedelta(days=30)).name
    now = take_backup(settings, MORNING).name
    assert shop.names == [now, ahead]


def test_two_at_the_same_second_are_one(shop: Shop) -> None:
    first = shop.take()
    before = (first / "manifest.json").read_bytes()
    with pytest.raises(BackupFailed, match="is there already"):
        shop.take()
    assert shop.names == [first.name]
    assert (first / "manifest.json").read_bytes() == before


def test_two_at_once_are_one(shop: Shop) -> None:
    other = DirectoryLock(shop.directory)
    other.acquire()
    try:
        with pytest.raises(BackupFailed, match="in use by the running process"):
            shop.take()
    finally:
        other.release()
    assert shop.names == []


def test_kill_in_the_middle_leaves_the_old_and_nothing_by_a_final_name(shop: Shop) -> None:
    old = shop.take()
    with psycopg.connect(shop.url) as connection:
        # pg_dump waits for this table, and no manifest counts it.
        connection.execute("CREATE SCHEMA elsewhere CREATE TABLE held (id int)")
        connection.commit()
        connection.execute("LOCK TABLE elsewhere.held IN ACCESS EXCLUSIVE MODE")
        process = shop.start("backup")
        try:
            _wait_until(lambda: list(shop.directory.glob(".*.partial/database.dump.age")), "it dumps")
            _wait_until(lambda: _command_lines_of_pg_dump(shop), "pg_dump runs")
            command_lines = _command_lines_of_pg_dump(shop)
        finally:
            process.kill()
        assert process.wait(WAIT_SECONDS_MAX) == -signal.SIGKILL
        connection.rollback()
    assert str(make_url(shop.url).password) not in "".join(command_lines)
    left = [name for name in shop.names if not name.startswith(".")]
    assert left == [old.name]
    assert len(shop.names) == 2
    _wait_until(lambda: not _command_lines_of_pg_dump(shop), "pg_dump is gone, too")
    new = shop.take(MORNING + timedelta(days=1))
    assert shop.names == [old.name, new.name]
    assert shop.drill(old).event_count == shop.drill(new).event_count


def _count_events(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*)::int FROM state_event").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _login(shop: Shop, attributes: LiteralString) -> Iterator[str]:
    """The URL of the shop's database for a login of its own that may take every role; gone afterwards."""
    name, password = f"login_{secrets.token_hex(4)}", secrets.token_hex(8)
    login = sql.Identifier(name)
    with psycopg.connect(shop.url, autocommit=True) as connection:
        create = sql.SQL("CREATE ROLE {} PASSWORD {}").format(login, sql.Literal(password))
        connection.execute(create + sql.SQL(attributes))
        try:
            for role in ROLES:
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), login))
            given = make_url(shop.url).set(username=name, password=password)
            yield given.render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(login))
            connection.execute(sql.SQL("DROP ROLE {}").format(login))


@contextmanager
def _database_of(shop: Shop, login_url: str) -> Iterator[str]:
    """An empty database that the login of `login_url` owns."""
    wanted = make_url(login_url).set(database=f"test_{secrets.token_hex(6)}")
    name, owner = sql.Identifier(str(wanted.database)), sql.Identifier(str(wanted.username))
    with psycopg.connect(shop.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
        try:
            yield wanted.render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _command_lines_of_pg_dump(shop: Shop) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_text(errors="replace")
        except OSError:
            continue
        if "pg_dump" in words and str(make_url(shop.url).database) in words:
            found.append(words)
    return found


def test_link_by_the_name_of_a_dead_run_goes_and_what_it_leads_to_stays(shop: Shop) -> None:
    elsewhere = shop.place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (shop.directory / ".billbus-20260102T030405Z.partial").symlink_to(elsewhere)
    (shop.directory / "billbus-20260103T030405Z").symlink_to(elsewhere)
    taken = shop.take()
    assert shop.names == ["billbus-20260103T030405Z", taken.name]
    assert list_backups(shop.directory) == [taken]
    assert (elsewhere / "file").exists()


def test_full_disk_is_a_sentence_and_leaves_the_old(shop: Shop) -> None:
    old = shop.take()
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "backup"],
        cwd=ROOT,
        env=shop.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX)),
    )
    assert done.returncode == 1
    assert done.stderr == ("billbus: File too large. No backup was taken; the earlier ones are untouched.\n")
    assert shop.names == [old.name]


def test_owner_who_is_no_superuser_restores_takes_and_proves(shop: Shop) -> None:
    """Row-level security holds no owner of a table: everything is in the dump."""
    with _login(shop, " LOGIN CREATEDB CREATEROLE") as login_url, _database_of(shop, login_url) as url:
        restore(shop.take(), read_identities(shop.identity_file), url, quiet)
        owned = replace(shop, url=url)
        taken = owned.take(MORNING + timedelta(days=1))
        assert owned.drill(taken).event_count == _count_events(shop.url)
        assert owned.drills() == [("done", None)]


def test_login_that_owns_nothing_is_refused_with_a_sentence(shop: Shop) -> None:
    with _login(shop, " LOGIN NOINHERIT") as url, pytest.raises(BackupFailed, match="permission denied"):
        take_backup(shop.settings(backup_database_url=SecretStr(url)), MORNING)
    assert shop.names == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"backup_database_url": None}, "BACKUP_DATABASE_URL must be set"),
        ({"backup_directory": None, "backup_recipient": None}, "BACKUP_DIRECTORY, BACKUP_RECIPIENT must be"),
        ({"backup_directory": Path("/nowhere/backups")}, "BACKUP_DIRECTORY is not there: /nowhere/backups"),
        ({"backup_recipient": "age1rubbish"}, "BACKUP_RECIPIENT is no age recipient"),
        ({"sealing_key": None}, "SEALING_KEY is not set"),
    ],
)
def test_what_is_missing_is_named(shop: Shop, changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(BackupFailed, match=re.escape(sentence)):
        take_backup(shop.settings(**changed), MORNING)
    assert shop.names == []


def test_database_that_was_never_migrated_is_a_sentence(shop: Shop, each_empty_database_url: str) -> None:
    settings = shop.settings(backup_database_url=SecretStr(each_empty_database_url))
    with pytest.raises(BackupFailed, match="no tables of Billbus"):
        take_backup(settings, MORNING)


def test_server_that_is_away_is_a_sentence(shop: Shop) -> None:
    url = make_url(shop.url).set(port=1).render_as_string(hide_password=False)
    done = shop.command("backup", BACKUP_DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith("billbus: The database does not do it: connection failed")
    assert "Traceback" not in done.stderr
    assert str(make_url(url).password) not in done.stderr
    assert shop.names == []
