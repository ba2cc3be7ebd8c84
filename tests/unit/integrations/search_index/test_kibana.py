"""What Kibana is given refers only to what is there: objects, fields, columns. No Kibana has seen it here."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from bus.events import EVENTS
from integrations.search_index.documents import INDEX_PREFIX
from integrations.search_index.indexer import TEMPLATE
from tests.unit.integrations.search_index.files import mapping, saved_objects, template

LOGS_TEMPLATE = "logs-billbus"
# The data view of each template, by the pattern of its indices.
TEMPLATES = {"billing-events-*": TEMPLATE, "logs-billbus-*": LOGS_TEMPLATE}
OBJECTS = {(one["type"], one["id"]): one for _, one in saved_objects()}
VIEWS = {
    one["id"]: one["attributes"]["title"] for (kind, _), one in OBJECTS.items() if kind == "index-pattern"
}
RECORDS = "___records___"
GRID_COLUMNS = 48

each_object = pytest.mark.parametrize("one", OBJECTS.values(), ids=lambda one: one["id"])


def of_type(kind: str) -> pytest.MarkDecorator:
    found = [one for (its, _), one in OBJECTS.items() if its == kind]
    return pytest.mark.parametrize("one", found, ids=lambda one: one["id"])


def fields_of(one: dict[str, Any]) -> dict[str, str]:
    """The fields that an object may use: those of its data view's template."""
    views = [each["id"] for each in one["references"] if each["type"] == "index-pattern"]
    assert len(views) == 1, "every object here is of one data view"
    return mapping(TEMPLATES[VIEWS[views[0]]])


def fields_in(query: str) -> set[str]:
    """The names before the colons of a query in Kibana's language."""
    return set(re.findall(r"([@\w][\w.@]*) ?:", re.sub(r'"[^"]*"', '""', query)))


def queries(one: dict[str, Any]) -> Iterator[str]:
    attributes = one["attributes"]
    if one["type"] == "lens":
        yield attributes["state"]["query"]["query"]
    elif "kibanaSavedObjectMeta" in attributes:
        yield json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]


def test_the_four_pages_are_there_under_ids_that_links_may_rely_on() -> None:
    assert {
        one["id"]: one["attributes"]["title"] for (its, _), one in OBJECTS.items() if its == "dashboard"
    } == {
        "billbus-money-today": "Money today",
        "billbus-one-invoice": "One invoice",
        "billbus-errors-by-service": "Errors by service",
        "billbus-callbacks": "Callbacks",
    }


def test_data_views_are_of_the_indices_that_our_templates_make() -> None:
    assert set(VIEWS.values()) == TEMPLATES.keys()
    for pattern, name in TEMPLATES.items():
        assert template(name)["index_patterns"] == [pattern]
        assert mapping(name)["@timestamp"] == "date"
    assert f"{INDEX_PREFIX}*" in TEMPLATES


def test_ids_are_unique() -> None:
    assert max(Counter((one["type"], one["id"]) for _, one in saved_objects()).values()) == 1


@each_object
def test_an_object_is_ours_by_its_id_and_says_of_which_form_it_is(one: dict[str, Any]) -> None:
    assert re.fullmatch(r"billbus-[a-z-]+", one["id"])
    assert one["coreMigrationVersion"] == "8.8.0"
    assert one["typeMigrationVersion"] in ("8.0.0", "8.9.0")
    assert one["attributes"]["title"]
    assert not {"version", "updated_at", "namespaces"} & one.keys()


@each_object
def test_every_reference_leads_somewhere_and_names_are_unique(one: dict[str, Any]) -> None:
    for each in one["references"]:
        assert (each["type"], each["id"]) in OBJECTS
    names = [each["name"] for each in one["references"]]
    assert len(names) == len(set(names))


@each_object
def test_a_query_asks_for_fields_that_are_there(one: dict[str, Any]) -> None:
    for query in queries(one):
        if query:
            assert fields_in(query)
            assert fields_in(query) <= fields_of(one).keys()


@of_type("search")
def test_a_search_shows_fields_that_are_there(one: dict[str, Any]) -> None:
    source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert source["indexRefName"] in {each["name"] for each in one["references"]}
    assert set(one["attributes"]["columns"]) <= fields_of(one).keys()
    assert one["attributes"]["sort"][0][0] == "@timestamp"


@of_type("lens")
def test_a_picture_uses_columns_that_it_has_and_fields_that_can_be_counted(one: dict[str, Any]) -> None:
    layers = one["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]
    assert [each["name"] for each in one["references"]] == [
        f"indexpattern-datasource-layer-{layer}" for layer in layers
    ]
    known = fields_of(one)
    for layer in layers.values():
        columns = layer["columns"]
        assert sorted(layer["columnOrder"]) == sorted(columns)
        for column in columns.values():
            if column["sourceField"] != RECORDS:
                assert known[column["sourceField"]] in COUNTABLE[column["operationType"]]
            ordered_by = column.get("params", {}).get("orderBy", {})
            if ordered_by.get("type") == "column":
                assert not columns[ordered_by["columnId"]]["isBucketed"]
    assert set(used_columns(one)) == set(columns)
    assert set(used_layers(one)) == set(layers)


COUNTABLE = {
    "terms": {"keyword", "long"},
    "sum": {"long", "double"},
    "unique_count": {"keyword"},
    "date_histogram": {"date"},
}


def used_columns(one: dict[str, Any]) -> Iterator[str]:
    seen = one["attributes"]["state"]["visualization"]
    if one["attributes"]["visualizationType"] == "lnsDatatable":
        yield from (column["columnId"] for column in seen["columns"])
        return
    assert one["attributes"]["visualizationType"] == "lnsXY"
    for layer in seen["layers"]:
        yield from [layer["xAccessor"], layer["splitAccessor"], *layer["accessors"]]


def used_layers(one: dict[str, Any]) -> Iterator[str]:
    seen = one["attributes"]["state"]["visualization"]
    yield from (layer["layerId"] for layer in seen.get("layers", [seen]))


@of_type("dashboard")
def test_a_page_shows_each_of_its_parts_in_a_place_of_its_own(one: dict[str, Any]) -> None:
    panels = json.loads(one["attributes"]["panelsJSON"])
    references = {each["name"]: each for each in one["references"]}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        reference = references[f"{panel['panelIndex']}:{panel['panelRefName']}"]
        assert reference["type"] == panel["type"]
        place = panel["gridData"]
        assert place["i"] == panel["panelIndex"]
        assert place["x"] + place["w"] <= GRID_COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
    parts = [each for each in one["references"] if each["type"] != "index-pattern"]
    assert len(parts) == len(panels) > 2


def test_events_of_bookings_are_found_by_their_kind() -> None:
    search = OBJECTS["search", "billbus-booking-events"]
    assert list(queries(search)) == ["event.action : booking.*"]
    assert any(kind.startswith("booking.") for kind in EVENTS)
    assert {"booking.starts_at", "booking.total_minor", "hall.id"} <= set(search["attributes"]["columns"])


def test_one_invoice_is_chosen_by_its_id() -> None:
    page = OBJECTS["dashboard", "billbus-one-invoice"]
    (control,) = json.loads(page["attributes"]["controlGroupInput"]["panelsJSON"]).values()
    assert control["explicitInput"]["fieldName"] == "invoice.id"
    assert fields_of(page)["invoice.id"] == "keyword"
