"""Every process tells in a sentence, at its start, which variable is missing or wrong."""

import os
import socket
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

from runtime.ports import LOOPBACK

END_SECONDS_MAX = 60.0
PROCESSES = {
    "client_api": ("client_api",),
    "admin_api": ("admin_api",),
    "billing_consumer": ("billing_consumer",),
    "state_updater": ("state_updater",),
    "worker": ("state_updater.tasks", "worker"),
    "beat": ("state_updater.tasks", "beat"),
    "events": ("integrations",),
    "cron": ("cron",),
    "migrate": ("cli.main", "db", "bootstrap"),
}
GOOD = {
    "DATABASE_URL": "postgresql://somebody:pa55word@127.0.0.1:1/billbus",
    "CELERY_BROKER_URL": "amqp://somebody:pa55word@127.0.0.1:1/celery",
    "TOKEN_KEY": "t" * 40,
    "FORM_KEY": "f" * 40,
    "SEALING_KEY": urlsafe_b64encode(b"k" * 32).decode(),
}


def start(process: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *PROCESSES[process]],
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def words_at_the_end(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        said, _ = process.communicate(timeout=END_SECONDS_MAX)
    finally:
        process.kill()
    return process.returncode, said


def test_wrong_variables_end_every_process_with_a_sentence_each() -> None:
    started = {one: start(one, {**GOOD, "DATABASE_URL": "", "LOG_LEVEL": "LOUD"}) for one in PROCESSES}
    for one, process in started.items():
        code, said = words_at_the_end(process)
        assert code == 2, (one, said)
        assert "billbus: DATABASE_URL: Field required\n" in said, one
        assert "billbus: LOG_LEVEL: Input should be 'DEBUG', 'INFO', " in said, one
        assert "Traceback" not in said


@pytest.mark.parametrize(
    ("process", "name", "value", "sentence"),
    [
        ("client_api", "DATABASE_URL", "postgresql://somebody:pa55/word@h/d", "DATABASE_URL: is no URL; "),
        ("client_api", "TOKEN_KEY", "short", "billbus: TOKEN_KEY: "),
        ("client_api", "TRUSTED_PROXIES", "nginx", "billbus: TRUSTED_PROXIES: 'nginx' does not appear to be"),
        ("admin_api", "SEALING_KEY", "pa55", "billbus: SEALING_KEY: must be 32 random bytes"),
        ("billing_consumer", "CONSUMER_COUNT", "two", "billbus: CONSUMER_COUNT: "),
        ("state_updater", "CELERY_BROKER_URL", "", "billbus: CELERY_BROKER_URL or CELERY_FOLDER must be set"),
        ("worker", "SEALING_KEY", "", "billbus: SEALING_KEY must be set for the worker"),
        ("worker", "LEASE_SECONDS", "10", "billbus: LEASE_SECONDS is 10 but a call may last"),
        ("beat", "SWEEP_EVERY_SECONDS", "0", "billbus: SWEEP_EVERY_SECONDS: "),
        ("events", "ELASTICSEARCH_URL", "elastic", "billbus: ELASTICSEARCH_URL: must begin with http"),
        ("cron", "CRON_RENEWAL", "often", 'billbus: CRON_RENEWAL: "often" '),
        ("cron", "CRON_TIMEZONE", "Mars", "billbus: CRON_TIMEZONE: Mars "),
        ("cron", "REMINDER_DAYS_BEFORE", "soon", "billbus: error parsing value for field"),
    ],
)
def test_each_process_tells_what_is_wrong_with_its_own(
    process: str, name: str, value: str, sentence: str
) -> None:
    code, said = words_at_the_end(start(process, {**GOOD, name: value}))
    assert code in (1, 2), said
    assert sentence in said
    assert "Traceback" not in said
    assert "pa55" not in said


@pytest.mark.parametrize("process", ["billing_consumer", "state_updater", "worker", "beat", "events", "cron"])
def test_port_for_metrics_that_somebody_has_is_told(process: str, tmp_path: Path) -> None:
    given = {**GOOD, "CELERY_BROKER_URL": "", "CELERY_FOLDER": str(tmp_path)}
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        code, said = words_at_the_end(start(process, {**given, "METRICS_PORT": str(port)}))
    assert code == 1, said
    assert said.endswith(
        f"billbus: METRICS_PORT: cannot listen on {LOOPBACK}:{port}: Address already in use\n"
    )
    assert "Traceback" not in said


def test_secrets_come_from_files_and_what_is_wrong_there_is_told(tmp_path: Path) -> None:
    given = {"SECRETS_DIR": str(tmp_path), "CELERY_BROKER_URL": GOOD["CELERY_BROKER_URL"]}
    (tmp_path / "database_url").write_text(GOOD["DATABASE_URL"] + "\n")
    (tmp_path / "sealing_key").write_text("pa55")
    (tmp_path / "error_reporter_token").write_text("")
    code, said = words_at_the_end(start("worker", given))
    assert (code, said.count("billbus: ")) == (2, 1), said
    assert "billbus: SEALING_KEY: must be 32 random bytes" in said
    assert "pa55" not in said


def test_directory_of_secrets_that_is_none_is_told(tmp_path: Path) -> None:
    given = {**GOOD, "SECRETS_DIR": str(tmp_path / "database_url")}
    (tmp_path / "database_url").write_text("")
    code, said = words_at_the_end(start("events", given))
    assert code == 2, said
    assert said.startswith("billbus: ")
    assert "Traceback" not in said
