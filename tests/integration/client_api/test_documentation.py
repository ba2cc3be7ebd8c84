"""What the API says of itself, and how it is watched."""

from typing import Any

import pytest
from httpx import Client

from client_api.app import create_app
from runtime.settings import ApiSettings
from tests.integration.client_api.serving import serving
from tests.integration.client_api.test_commands import BrokenPublisher


@pytest.fixture(scope="module")
def document(client: Client) -> dict[str, Any]:
    return dict(client.get("/openapi.json").json())


def test_every_operation_has_its_own_id_and_a_summary(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert all(
        "__" not in operation_id and "summary" in operation
        for operation_id, operation in zip(ids, operations, strict=True)
    )


def test_bodies_have_examples(document: dict[str, Any]) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                fields = document["components"]["schemas"][name]["properties"]
                assert "example" in str(fields) or name in {"Refresh"}, name


def test_commands_say_that_they_answer_202(document: dict[str, Any]) -> None:
    for path in (
        "/subscriptions",
        "/invoices/{invoice_id}/pay",
        "/subscriptions/{subscription_id}/cancel",
        "/bookings",
        "/bookings/{booking_id}/checkout",
        "/bookings/{booking_id}/cancel",
        "/bookings/{booking_id}/reschedule",
    ):
        assert "202" in document["paths"][f"/api/v1{path}"]["post"]["responses"]


def test_free_time_has_a_shape_though_it_is_written_by_hand(document: dict[str, Any]) -> None:
    for path in ("/availability", "/halls/{hall_id}/availability"):
        answers = document["paths"][f"/api/v1{path}"]["get"]["responses"]
        schema = answers["200"]["content"]["application/json"]["schema"]
        assert schema["$ref"].endswith("/AvailabilityView")


def test_free_time_needs_a_token_for_a_booking_alone(document: dict[str, Any]) -> None:
    for path in ("/availability", "/halls/{hall_id}/availability"):
        operation = document["paths"][f"/api/v1{path}"]["get"]
        assert operation["security"] == [{"HTTPBearer": []}, {}]
        named = {parameter["name"] for parameter in operation["parameters"]}
        assert {"from", "to", "duration", "booking_id"} <= named


def test_swagger_comes_from_here(client: Client) -> None:
    page = client.get("/docs")
    assert "//" not in page.text.replace("<!doctype html>", "")
    assert client.get("/docs/assets/swagger-ui-bundle.js").status_code == 200


def test_health_tells_of_the_parts(client: Client) -> None:
    assert client.get("/healthz/live").json() == {"status": "alive"}
    ready = client.get("/healthz/ready")
    assert (ready.status_code, ready.json()["database"]) == (200, "up")
    assert client.get("/healthz").json()["migrations"] in {"at_head", "unknown"}


def test_without_a_database_it_is_alive_not_ready_and_answers_503(settings: ApiSettings) -> None:
    nowhere = settings.model_copy(
        update={"database_url": type(settings.database_url)("postgresql://billbus@127.0.0.1:1/none")}
    )
    with (
        serving(create_app(nowhere, BrokenPublisher())) as address,
        Client(base_url=address, timeout=30) as it,
    ):
        assert it.get("/healthz/live").status_code == 200
        assert it.get("/healthz/ready").status_code == 503
        answer = it.get("/api/v1/plans")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "2"
