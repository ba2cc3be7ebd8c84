"""Secrets of the stack: all of them, once, for their owner alone."""

import json
import stat
import subprocess
import sys
from base64 import urlsafe_b64decode
from pathlib import Path
from urllib.parse import urlsplit

from bus.definitions import USERS
from cli.service_urls import read_service_url
from deploy.make_secrets import FOR_YOU, ROOT, make_all
from models.logins import LOGINS


def _contents(directory: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in directory.iterdir()}


def test_second_time_changes_nothing(tmp_path: Path) -> None:
    first = make_all(tmp_path)
    before = _contents(tmp_path)

    assert set(first) == before.keys()
    assert make_all(tmp_path) == []
    assert _contents(tmp_path) == before


def test_two_installations_share_no_secret(tmp_path: Path) -> None:
    for name in ("one", "other"):
        make_all(tmp_path / name)
    one, other = _contents(tmp_path / "one"), _contents(tmp_path / "other")
    assert {name for name in one if one[name] == other[name]} == set(FOR_YOU)


def test_directory_keeps_others_away_and_containers_can_read(tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    make_all(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in place.iterdir()} == {0o644}


def test_each_login_and_each_user_of_the_broker_has_its_urls(tmp_path: Path) -> None:
    make_all(tmp_path)
    for login in LOGINS:
        assert read_service_url(tmp_path, login, "database_url").place == "billbus"
    for name, user in USERS.items():
        settings = {"billbus": "amqp_url", "celery": "celery_broker_url"}
        urls = [tmp_path / f"{name}_{settings[host]}" for host in user.rights]
        passwords = {urlsplit(url.read_text()).password for url in urls if url.exists()}
        assert len(passwords) == 1, name


def test_removed_url_comes_back_with_the_users_password(tmp_path: Path) -> None:
    make_all(tmp_path)
    before = _contents(tmp_path)
    for name in ("worker_amqp_url", "owner_database_url"):
        (tmp_path / name).unlink()

    assert sorted(make_all(tmp_path)) == ["owner_database_url", "worker_amqp_url"]
    assert _contents(tmp_path) == before


def test_sealing_key_is_one_that_seals(tmp_path: Path) -> None:
    make_all(tmp_path)
    assert len(urlsafe_b64decode((tmp_path / "sealing_key").read_text())) == 32


def test_command_prints_how_many_and_none_of_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "deploy" / "make_secrets.py", tmp_path / "secrets"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    made = _contents(tmp_path / "secrets")
    assert done.stdout == f"{tmp_path / 'secrets'}: {len(made)} made\n"
    assert not [name for name, value in made.items() if value and value in json.dumps(done.stdout)]
