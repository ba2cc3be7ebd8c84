"""Users of the broker come from the files with their URLs; a wrong file is told by its name alone."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bus.definitions import TASKS_HOST, USERS
from cli.main import app
from cli.service_urls import ServiceUrlWrong, read_service_url


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A whole set of files."""
    for user, one in USERS.items():
        for host in one.rights:
            setting = "celery_broker_url" if host == TASKS_HOST else "amqp_url"
            (tmp_path / f"{user}_{setting}").write_text(f"amqp://{user}:pa55-{user}@mq:5672/{host}\n")
    return tmp_path


def make(secrets: Path, *words: str) -> tuple[int, str, BaseException | None]:
    done = CliRunner().invoke(app, ["bus", "definitions", "--users", str(secrets), *words])
    return done.exit_code, done.stdout, done.exception


def test_file_holds_every_user_and_no_password(secrets: Path, tmp_path: Path) -> None:
    code, shown, _ = make(secrets, "--out", str(tmp_path / "made.json"))
    assert (code, shown) == (0, "")
    written = (tmp_path / "made.json").read_text()
    assert {one["name"] for one in json.loads(written)["users"]} == set(USERS)
    assert "pa55" not in written


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("cron_amqp_url", None, "has neither cron_amqp_url nor cron_celery_broker_url."),
        ("cron_amqp_url", "amqp://worker:pa55@mq/billbus", "cron_amqp_url must name the user cron."),
        ("cron_amqp_url", "amqp://cron@mq/billbus", "cron_amqp_url holds no password."),
        ("cron_amqp_url", "amqp://cron:pa55@[mq/billbus", "cron_amqp_url cannot be used: "),
        ("worker_amqp_url", "amqp://worker:pa55@mq/billbus", "The URLs of worker in "),
        ("beat_celery_broker_url", "amqp://beat:pa55@mq/", "must name the virtual host celery."),
    ],
)
def test_wrong_file_is_told_in_a_sentence(
    secrets: Path, name: str, content: str | None, sentence: str
) -> None:
    (secrets / name).unlink()
    if content is not None:
        (secrets / name).write_text(content)
    code, _, error = make(secrets)
    assert code == 1
    assert isinstance(error, ServiceUrlWrong)
    assert sentence in str(error)
    assert "pa55" not in str(error)


def test_password_is_decoded_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "cron_database_url").write_text("postgresql://cron:p%40ss%2F1@db/billbus")
    url = read_service_url(tmp_path, "cron", "database_url")
    assert (url.password, url.place) == ("p@ss/1", "billbus")
    assert "p@ss" not in repr(url)
