"""The files of deploy/ that the search index is set up from, read for the tests of this folder."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parents[4] / "deploy"


def template(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        (DEPLOY / "elasticsearch" / "templates" / f"{name}.json").read_bytes()
    )
    return loaded


def mapping(name: str) -> dict[str, str]:
    """The types by full name of every field of an index template."""
    return dict(_fields(template(name)["template"]["mappings"]["properties"], ""))


def _fields(properties: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    for name, told in properties.items():
        if "properties" in told:
            yield from _fields(told["properties"], f"{above}{name}.")
        else:
            yield f"{above}{name}", told["type"]


def flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of a document by full name."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def saved_objects() -> list[tuple[str, dict[str, Any]]]:
    """Every line of every file for Kibana, with the name of its file."""
    return [
        (file.stem, json.loads(line))
        for file in sorted((DEPLOY / "kibana").glob("*.ndjson"))
        for line in file.read_text().splitlines()
    ]
