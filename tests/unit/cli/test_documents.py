"""The pages made from the code are those that lie in `docs/`."""

from pathlib import Path

from cli.documents import asyncapi_document, schema_page, states_page
from state_updater.machines import MACHINES

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_states_page_is_up_to_date() -> None:
    written = (DOCS / "states.md").read_text("utf-8")
    assert written == states_page(), "run `billbus docs states > docs/states.md`"


def test_schema_page_is_up_to_date() -> None:
    written = (DOCS / "schema.sql").read_text("utf-8")
    assert written == schema_page(), "run `billbus docs schema > docs/schema.sql`"


def test_asyncapi_document_is_up_to_date() -> None:
    written = (DOCS / "asyncapi.json").read_text("utf-8")
    assert written == asyncapi_document(), "run `billbus docs asyncapi > docs/asyncapi.json`"


def test_states_page_shows_every_edge_of_every_machine() -> None:
    page = states_page()
    for machine in MACHINES.values():
        for trigger, source, dest in machine.edges():
            shown = f"`{source}`" if source else "–"
            assert f"| `{trigger}` | {shown} | `{dest}` |" in page


def test_schema_page_has_the_revisions_in_order() -> None:
    page = schema_page()
    assert 0 < page.index("CREATE TABLE studio") < page.index("CREATE SCHEMA invariant")
