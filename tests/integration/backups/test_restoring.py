"""Proofs that prove, and drills that fail: each in a sentence, recorded, and with nothing left behind."""

import hashlib
import json
import signal
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from backups.books import differences, read_books
from backups.encryption import make_identity_file, read_identities
from backups.failures import BackupFailed
from backups.manifest import DUMP_FILE, MANIFEST_FILE, read_manifest
from backups.restoring import restore
from backups.writing import write_encrypted
from models import migrate
from storage.sealing import new_sealing_key
from tests.databases import Databases
from tests.integration.backups.shop import MORNING, Shop, quiet

POLL_SECONDS = 0.01
WAIT_SECONDS_MAX = 30.0


def test_drill_proves_a_backup_and_leaves_nothing_but_its_record(shop_of_each: Shop) -> None:
    taken = shop_of_each.take()
    proof = shop_of_each.drill(taken)
    manifest = read_manifest(taken)
    assert proof.row_count == sum(manifest.books.row_counts.values()) > 100
    assert proof.event_count == manifest.books.row_counts["state_event"] > 20
    assert (proof.secret_count, proof.taken_at, proof.left_over) == (1, MORNING, ())
    assert shop_of_each.drills() == [("done", None)]
    assert shop_of_each.scratch_databases() == []


def test_older_backup_is_proven_while_the_live_database_goes_on(shop: Shop) -> None:
    taken = shop.take()
    shop.execute("INSERT INTO invoice_counter SELECT id, 1999, 1 FROM studio")
    assert shop.drill(taken).taken_at == MORNING


def test_backup_of_an_older_server_is_proven_on_a_newer_one(shop: Shop, wheel_databases: Databases) -> None:
    other = wheel_databases.server.url()
    assert shop.drill(shop.take(), server_url=other).secret_count == 1
    assert shop.scratch_databases(other) == []


def test_backup_of_a_newer_server_is_refused_on_an_older_one(shop: Shop) -> None:
    taken = shop.take()
    manifest = json.loads((taken / MANIFEST_FILE).read_text())
    (taken / MANIFEST_FILE).write_text(json.dumps(manifest | {"server_version": 990_001}))
    _expect_failure(shop, taken, "The backup is of PostgreSQL 99; the server here is")


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        ("UPDATE invoice SET paid_minor = paid_minor - 100 WHERE state = 'paid'", "always_"),
        ("UPDATE state_event SET facts = facts || '{\"a\": 1}' WHERE version = 1", "chain_of_hashes"),
        ("DELETE FROM ledger_transfer", "always_"),
    ],
)
def test_row_that_was_tampered_with_is_no_proof(shop: Shop, statement: str, invariant: str) -> None:
    shop.execute(statement)
    _expect_failure(shop, shop.take(), rf"The books do not hold: .*{invariant}")


def test_manifest_that_tells_otherwise_is_no_proof(shop: Shop) -> None:
    taken = shop.take()
    _rewrite(taken, "row_counts", {"invoice": 77})
    _expect_failure(shop, taken, r"rows of invoice: 77 in the manifest, \d+ restored")


def test_sum_that_is_missing_from_the_manifest_is_no_proof(shop: Shop) -> None:
    taken = shop.take()
    manifest = json.loads((taken / MANIFEST_FILE).read_text())
    manifest["books"]["totals"] = [one for one in manifest["books"]["totals"] if one["of"] != "paid invoices"]
    (taken / MANIFEST_FILE).write_text(json.dumps(manifest))
    _expect_failure(shop, taken, r"paid invoices of studio .*: nothing in the manifest, \d+ minor")


def test_wrong_key_touches_no_database(shop: Shop) -> None:
    taken = shop.take()
    make_identity_file(shop.place / "other", MORNING)
    _expect_failure(shop, taken, "The identity does not open this backup", shop.place / "other")


def test_truncated_file_is_a_sentence_on_the_command_line(shop: Shop) -> None:
    taken = shop.take()
    dump = taken / DUMP_FILE
    dump.write_bytes(dump.read_bytes()[:-1000])
    done = shop.command("restore-drill")
    assert done.returncode == 1
    assert "database.dump.age of billbus-20261121T033000Z is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert "not proven" in done.stdout
    assert [outcome for outcome, _ in shop.drills()] == ["failed"]


def test_file_that_ends_early_by_its_own_manifest_is_found_by_its_encryption(shop: Shop) -> None:
    taken = shop.take()
    dump = taken / DUMP_FILE
    dump.write_bytes(dump.read_bytes()[:-1000])
    _tell_of_file(taken)
    _expect_failure(shop, taken, "It does not decrypt")


def test_dump_that_is_none_is_what_pg_restore_says(shop: Shop) -> None:
    """Somebody with the public key can encrypt anything."""
    taken = shop.take()
    (taken / DUMP_FILE).unlink()
    with (shop.place / "rubbish").open("w+b") as rubbish:
        rubbish.write(b"rubbish" * 1_000_000)
        rubbish.seek(0)
        write_encrypted(taken / DUMP_FILE, rubbish, shop.recipient)
    _tell_of_file(taken)
    _expect_failure(shop, taken, "pg_restore does not do it: pg_restore: error: input file does not appear")


@pytest.mark.parametrize("missing", ["database.dump.age", "configuration.tar.age", "manifest.json"])
def test_missing_file_is_named(shop: Shop, missing: str) -> None:
    taken = shop.take()
    (taken / missing).unlink()
    _expect_failure(shop, taken, rf"{missing}.*No such file")


@pytest.mark.parametrize("words", ["", "{}", "rubbish", '{"form": 2}'])
def test_manifest_that_is_none_is_a_sentence(shop: Shop, words: str) -> None:
    taken = shop.take()
    (taken / MANIFEST_FILE).write_text(words)
    _expect_failure(shop, taken, "The manifest of billbus-20261121T033000Z cannot be understood")


def test_backup_of_a_newer_version_cannot_be_migrated_by_this_one(shop: Shop) -> None:
    shop.execute("UPDATE alembic_version SET version_num = '9999'")
    _expect_failure(shop, shop.take(), "This version cannot migrate it: .*9999")


def test_sealing_key_that_opens_nothing_is_no_proof(shop: Shop) -> None:
    shop_of_other_key = Shop(shop.url, shop.place, shop.recipient, new_sealing_key())
    _expect_failure(shop, shop_of_other_key.take(), "does not open the secrets of the database")


def test_drill_that_is_interrupted_leaves_no_database(shop: Shop) -> None:
    shop.take()
    for ending in (signal.SIGINT, signal.SIGTERM):
        process = shop.start("restore-drill")
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not shop.scratch_databases():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(POLL_SECONDS)
        process.send_signal(ending)
        assert process.wait(WAIT_SECONDS_MAX) not in (0, -signal.SIGTERM)
        assert shop.scratch_databases() == []


def test_database_that_a_killed_drill_has_left_is_named(shop: Shop) -> None:
    left = sql.Identifier("billbus_drill_left")
    with psycopg.connect(shop.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(left))
        try:
            assert shop.drill(shop.take()).left_over == ("billbus_drill_left",)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {}").format(left))


def test_restore_brings_everything_back_and_never_over_anything(shop: Shop, databases: Databases) -> None:
    taken = shop.take()
    identities = read_identities(shop.identity_file)
    with databases.fresh(migrated=False) as url:
        restore(taken, identities, url, quiet)
        with psycopg.connect(shop.url) as live, psycopg.connect(url) as restored:
            assert differences(read_books(live), read_books(restored)) == []
            assert _privileges(live) == _privileges(restored)
        with pytest.raises(BackupFailed, match="is not empty"):
            restore(taken, identities, url, quiet)
    with pytest.raises(BackupFailed, match="is not empty"):
        restore(taken, identities, shop.url, quiet)


def test_restore_that_fails_leaves_the_database_empty(shop: Shop, databases: Databases) -> None:
    taken = shop.take()
    dump = taken / DUMP_FILE
    dump.write_bytes(dump.read_bytes()[:-1000])
    _tell_of_file(taken)
    with databases.fresh(migrated=False) as url:
        for _ in range(2):
            with pytest.raises(BackupFailed, match="It does not decrypt"):
                restore(taken, read_identities(shop.identity_file), url, quiet)


def test_newest_backup_is_proven_and_restored_on_the_command_line(shop: Shop, databases: Databases) -> None:
    key = shop.command("backup", "key", str(shop.place / "new-key"))
    assert key.stdout.startswith("age1")
    assert "AGE-SECRET-KEY" not in key.stdout + key.stderr
    older = shop.take(MORNING - timedelta(days=1)).name
    taken = shop.command("backup").stdout.splitlines()[0]
    (shop.directory / "billbus-20200101T000000Z").mkdir()
    listed = shop.command("backup", "list").stdout
    assert listed.count(migrate.head()) == 2
    assert "billbus-20200101T000000Z  unreadable" in listed
    proven = shop.command("restore-drill")
    assert proven.returncode == 0, proven.stderr
    assert proven.stdout.startswith(Path(taken).name)
    assert "proven in" in proven.stdout
    assert older not in proven.stdout
    with databases.fresh(migrated=False) as url:
        restored = shop.command("restore", taken, RESTORE_DATABASE_URL=url)
        assert restored.returncode == 0, restored.stderr
        assert "Next: `billbus db bootstrap`" in restored.stdout
    out = shop.command("backup", "configuration", taken, "--into", str(shop.place / "out"))
    assert out.returncode == 0, out.stderr
    assert (shop.place / "out" / "secrets" / "sealing_key").read_text() == shop.sealing_key


def _expect_failure(shop: Shop, taken: Path, sentence: str, identity_file: Path | None = None) -> None:
    with pytest.raises(BackupFailed, match=sentence):
        shop.drill(taken, identity_file)
    outcomes = shop.drills()
    assert [outcome for outcome, _ in outcomes] == ["failed"]
    assert outcomes[0][1]
    assert shop.scratch_databases() == []


def _rewrite(taken: Path, name: str, changed: dict[str, object]) -> None:
    manifest = json.loads((taken / MANIFEST_FILE).read_text())
    manifest["books"][name] |= changed
    (taken / MANIFEST_FILE).write_text(json.dumps(manifest))


def _tell_of_file(taken: Path) -> None:
    """The manifest tells the truth of the dump as it is now."""
    manifest = json.loads((taken / MANIFEST_FILE).read_text())
    content = (taken / DUMP_FILE).read_bytes()
    manifest["files"][DUMP_FILE] = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (taken / MANIFEST_FILE).write_text(json.dumps(manifest))


def _privileges(connection: "psycopg.Connection[tuple[object, ...]]") -> set[tuple[object, ...]]:
    """Who may do what with which column, and which rows each sees."""
    return set(
        connection.execute("""
            SELECT grantee, table_schema || '.' || table_name, column_name, privilege_type
            FROM information_schema.column_privileges WHERE grantee LIKE 'billbus\\_%'
            UNION ALL
            SELECT array_to_string(roles, ','), tablename, policyname, coalesce(qual, '') FROM pg_policies
            UNION ALL
            SELECT proname, coalesce(array_to_string(proacl, ','), ''), prosecdef::text, '' FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace
        """)
    )
