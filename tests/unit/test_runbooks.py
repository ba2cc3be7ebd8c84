"""Every alert leads to a section that helps, and every command that the pages for operators name exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("runbooks.md", "backups.md", "updating.md")
# What a person woken at night needs to know, in this order.
PARTS = ("Money", "Look", "Do", "Never")


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
