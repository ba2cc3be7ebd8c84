"""`billbus config check` shows what a process would start with, no secret of it, and every problem."""

from base64 import urlsafe_b64encode

import pytest
from typer.testing import CliRunner

from cli.configuration import PROCESSES, examine, misspellings
from cli.main import app
from models.logins import LOGINS

SEALING_KEY = urlsafe_b64encode(b"k" * 32).decode()
GOOD = {
    "DATABASE_URL": "postgresql://cron:pa55word@db:5432/billbus",
    "AMQP_URL": "amqp://cron:pa55word@mq:5672/billbus?heartbeat=5&secret=pa55word",
    "CELERY_BROKER_URL": "amqp://cron:pa55word@mq:5672/celery",
    "TOKEN_KEY": "t" * 40,
    "FORM_KEY": "f" * 40,
    "SEALING_KEY": SEALING_KEY,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRETS_DIR", raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def check(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["config", "check", *words])
    return done.exit_code, done.stdout, done.stderr


def test_everything_is_shown_and_nothing_secret() -> None:
    code, shown, complaints = check()
    assert (code, complaints) == (0, "")
    assert "postgresql://cron@db:5432/billbus (password set, 8 characters)  (environment)" in shown
    assert "amqp://cron@mq:5672/billbus (password set, 8 characters)" in shown
    assert "TOKEN_KEY     " in shown
    assert "set, 40 characters" in shown
    for secret in ("pa55word", "t" * 40, "f" * 40, SEALING_KEY):
        assert secret not in shown


def test_every_service_of_the_house_can_be_checked() -> None:
    assert set(PROCESSES) == {*LOGINS, "migrate", "beat"}


@pytest.mark.parametrize(
    ("process", "name", "value", "sentence"),
    [
        ("client_api", "TOKEN_KEY", None, "client_api: TOKEN_KEY: Field required"),
        ("client_api", "DATABASE_URL", "", "client_api: DATABASE_URL: Field required"),
        ("cron", "DATABASE_URL", "mysql://a:b@c/d", "cron: DATABASE_URL: must begin with postgresql://"),
        ("events", "DATABASE_URL", "postgresql://a:pa55/word@c/d", "events: DATABASE_URL: is no URL"),
        ("events", "DATABASE_URL", "postgresql://a:1/pa55@c/d", "events: DATABASE_URL: is no URL"),
        ("events", "DATABASE_URL", "postgresql://a:1?pa55@c/d", "events: DATABASE_URL: is no URL"),
        ("events", "DATABASE_URL", "postgresql://a:1#pa55@c/d", "events: DATABASE_URL: is no URL"),
        ("events", "DATABASE_URL", "postgresql://a:b@pa55@c/d", "events: DATABASE_URL: is no URL"),
        ("events", "DATABASE_URL", "postgresql://a:b@pa55/d@e/f", "events: DATABASE_URL: is no URL"),
        ("events", "AMQP_URL", "http://a:pa55word@c/d", "events: AMQP_URL: must begin with amqp://"),
        ("worker", "LINK_BASE_URL", "studio.example.org", "worker: LINK_BASE_URL: must begin with https://"),
        ("client_api", "LINK_BASE_URL", "", "client_api: LINK_BASE_URL: must begin with https://"),
        ("client_api", "LINK_BASE_URL", "https:/{host}", "LINK_BASE_URL: must begin with https://"),
        ("cron", "ERROR_REPORTER_URL", "hawk.example.org", "ERROR_REPORTER_URL: must begin with https://"),
        ("admin_api", "SEALING_KEY", "pa55word", "admin_api: SEALING_KEY: must be 32 random bytes"),
        ("admin_api", "TRUSTED_PROXIES", "10.0.0.0/8, *", "TRUSTED_PROXIES: '*' does not appear"),
        ("worker", "LEASE_SECONDS", "1", "worker: LEASE_SECONDS is 1 but a call may last"),
        ("worker", "SEALING_KEY", None, "worker: SEALING_KEY must be set for the worker"),
        ("beat", "CELERY_BROKER_URL", None, "beat: CELERY_BROKER_URL or CELERY_FOLDER must be set"),
        ("state_updater", "LOOK_UP_DELAYS_SECONDS", "soon", 'error parsing value for field "look_up_delays'),
        ("cron", "CRON_BACKUP", "never", 'cron: CRON_BACKUP: "never"'),
        ("billing_consumer", "LOG_LEVEL", "LOUD", "billing_consumer: LOG_LEVEL: "),
    ],
)
def test_problem_is_a_sentence_with_the_name_and_without_the_value(
    monkeypatch: pytest.MonkeyPatch, process: str, name: str, value: str | None, sentence: str
) -> None:
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    code, _, complaints = check(process)
    assert code == 1
    assert sentence in complaints
    assert "pa55" not in complaints


def test_name_that_is_nearly_a_setting_is_told_and_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRON_REMINDERS", "x")
    code, _, complaints = check("cron")
    assert (code, complaints) == (0, "CRON_REMINDERS is no setting: is CRON_REMINDER meant?\n")
    assert misspellings(["PATH", "HOME", "SECRETS_DIR", "LOG_LEVEL"], ["client_api_database_url"]) == []
    assert misspellings([], ["databse_url"]) == ["databse_url is no setting: is DATABASE_URL meant?"]


def test_process_that_is_none_is_refused() -> None:
    code, _, complaints = check("clientapi")
    assert code == 2
    assert "there are migrate, client_api" in " ".join(complaints.split()).replace("│ ", "")


def test_examined_settings_name_their_source() -> None:
    problems, lines = examine(PROCESSES["cron"])
    assert problems == []
    assert any(line.startswith("CRON_RENEWAL") and line.endswith("(default)") for line in lines)
