"""Every alert leads to a section that helps, and every command that the pages for operators name exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from cli.main import app
from models.migrate import head

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("runbooks.md", "backups.md", "updating.md", "operations.md")
PAGES_WITH_COMPOSE = (*PAGES, "gateway.md", "search.md")
# What a person woken at night needs to know, in this order.
PARTS = ("Money", "Look", "Do", "Never")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
# A person puts a name in: SERVICE, PROCESS.
PLACEHOLDER = re.compile(r"[A-Z]+")
WITH_VALUE = ("--signal", "--since", "--scale", "--profile")
# What runs where backups and jobs do; everything else is for the owner of the tables.
OF_CRON = ("cron", "backup", "restore", "restore-drill")
NEEDS_AN_EMPTY_STACK = re.compile(r"billbus (restore|db downgrade) ")
CERTBOT_PLACES = "--config-dir /certificates --work-dir /tmp/work --logs-dir /tmp/logs"
ROOMS = ("client_api", "runtime", "web")


def _rules() -> Iterator[tuple[str, str]]:
    """Every alert and the address of its section."""
    for file in sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    yield rule["alert"], rule["annotations"]["runbook_url"]


def _sections(page: str) -> dict[str, str]:
    """What stands under each heading, by its anchor."""
    parts = re.split(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(), flags=re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in parts[1::2]]
    return dict(zip(anchors, parts[2::2], strict=True))


def test_there_are_alerts() -> None:
    assert len(list(_rules())) >= 15


@pytest.mark.parametrize(("alert", "address"), list(_rules()))
def test_alert_has_a_section_that_says_what_to_do(alert: str, address: str) -> None:
    assert address == f"docs/runbooks.md#{alert.lower()}"
    section = _sections("runbooks.md")[alert.lower()]
    told = re.findall(r"\*\*([A-Z][\w, ]*)(?::\*\*|\*\*)", section)
    assert [part for part in PARTS if part not in ", ".join(told)] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_between_the_pages_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(((?:[a-z]+\.md)?)#([\w-]+)\)", (ROOT / "docs" / page).read_text())
    assert links
    assert [link for link in links if link[1] not in _sections(link[0] or page)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_on_the_page_exists(page: str) -> None:
    named = set(re.findall(r"billbus ((?:[a-z-]+ ?)+)", (ROOT / "docs" / page).read_text()))
    assert named
    root = typer.main.get_command(app)
    assert [words for words in named if not _exists(root, words.split())] == []


def test_command_that_is_none_is_found() -> None:
    root = typer.main.get_command(app)
    assert not _exists(root, ["backup", "everything"])
    assert not _exists(root, ["nonsense"])


def _exists(command: object, words: list[str]) -> bool:
    """Whether the words are a command, as far as they can be one: `verify` takes no further word."""
    if not words or not isinstance(command, TyperGroup):
        return True
    return words[0] in command.commands and _exists(command.commands[words[0]], words[1:])


# ---------------------------------------------------------------------------------------------- compose


def _commands() -> Iterator[str]:
    """Each `docker compose …` of the pages, on one line, up to the next one or the end of its code."""
    for page in PAGES_WITH_COMPOSE:
        text = (ROOT / "docs" / page).read_text()
        for block, inline in re.findall(r"```\w*\n(.*?)```|`([^`]+)`", text, flags=re.DOTALL):
            for command in re.split(r"(?=docker compose )", re.sub(r"#.*", "", block) or inline)[1:]:
                yield " ".join(command.replace("\\\n", " ").split())


COMMANDS = list(_commands())


def _words(command: str) -> tuple[str, list[str]]:
    """What compose is to do, and the words after it that are neither options nor their values."""
    words = re.split(r"[|&<;']", command)[0].split()[2:]
    plain = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if not word.startswith("-") and before not in WITH_VALUE
    ]
    return plain[0], plain[1:]


def _inside() -> Iterator[tuple[str, str]]:
    """Service and command line of everything that is run in a container."""
    for command in COMMANDS:
        kind, words = _words(command)
        if kind in ("run", "exec"):
            yield words[0], command.partition(f" {words[0]} ")[2]


def test_compose_is_given_services_that_there_are() -> None:
    named = set()
    for command in COMMANDS:
        kind, words = _words(command)
        named |= set(words[:1] if kind in ("run", "exec") else words)
    assert {"migrate", "nginx", "certbot", "events"} <= named
    assert [name for name in named - SERVICES.keys() if not PLACEHOLDER.fullmatch(name)] == []


def test_each_command_of_ours_runs_where_its_login_may_do_it() -> None:
    found = [
        (service, group)
        for service, line in _inside()
        for group in re.findall(r"billbus ([a-z][a-z-]+)", line)
        if group != "config"
    ]
    assert len(found) > 10
    assert [one for one in found if one[0] != ("cron" if one[1] in OF_CRON else "migrate")] == []


@pytest.mark.parametrize("page", PAGES_WITH_COMPOSE)
def test_settings_of_a_process_are_checked_in_its_own_container(page: str) -> None:
    text = " ".join((ROOT / "docs" / page).read_text().split())
    for service, process in re.findall(r"(?:--no-deps (\S+) )?billbus config check (\w+)`", text):
        assert service == process


def test_nothing_fills_the_database_before_it_is_restored_or_taken_back() -> None:
    found = [command for command in COMMANDS if NEEDS_AN_EMPTY_STACK.search(command)]
    assert len(found) >= 3
    assert [command for command in found if " --no-deps " not in command] == []


def test_who_stops_a_process_stops_every_service_that_runs_it() -> None:
    for kind, words in map(_words, COMMANDS):
        if kind == "stop":
            programs = [SERVICES[name]["command"] for name in words]
            same = {name for name, one in SERVICES.items() if one.get("command") in programs}
            assert same == set(words)


def test_certbot_is_told_where_its_volume_is() -> None:
    lines = [line for service, line in _inside() if service == "certbot"]
    assert len(lines) >= 4
    assert [line for line in lines if CERTBOT_PLACES not in line] == []


def test_nginx_hears_by_signal_as_it_has_no_pid_where_its_program_looks() -> None:
    assert "nginx" not in {service for service, _ in _inside()}
    assert "docker compose kill --signal HUP nginx" in COMMANDS


# ---------------------------------------------------------------------------------------------- the log


def _logged() -> Iterator[str]:
    """Every text and name of a field in a call of a logger."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
                    within = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
                    yield from (one for one in within if isinstance(one, str))


def test_what_is_looked_for_in_our_log_is_written_there() -> None:
    greps = [re.search(r"logs (\w+) \| grep (?:'(.+?)'|(\S+))", command) for command in COMMANDS]
    wanted = [found[2] or found[3] for found in greps if found and found[1] in ROOMS]
    logged = list(_logged())
    assert len(wanted) >= 2
    for words in wanted:
        # A field's last name stands alone in its line, between quotes.
        field = re.fullmatch(r'"(\w+)":\d', words)
        assert any(text.endswith(f".{field[1]}") if field else words in text for text in logged), words


def test_fields_of_errors_are_those_of_the_log() -> None:
    fields = re.findall(r"`(error\.\w+)`", (ROOT / "docs" / "runbooks.md").read_text())
    assert fields
    writing = (ROOT / "runtime" / "logging.py").read_text()
    assert [field for field in fields if f'"{field}"' not in writing] == []


# ---------------------------------------------------------------------------------------------- the way back


def test_way_back_names_no_revision_and_says_what_the_newest_one_loses() -> None:
    page = (ROOT / "docs" / "updating.md").read_text()
    assert re.findall(r"db downgrade (\S+)", page) == ["REVISION", "REVISION"]
    assert f"From {head()} to " in page
