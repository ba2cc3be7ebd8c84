"""Signing in, staying signed in, and every token that must not work."""

import secrets
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from httpx import Client, Response
from sqlalchemy import Engine

from client_api.queries.people import insert_session, revoke_family, rotate
from client_api.tokens import ISSUER
from runtime.settings import ApiSettings
from storage.database import create_role_engine, tenant
from tests.integration.client_api.conftest import ShopWindow
from tests.integration.client_api.people import PASSWORD, Person, register
from web.throttle import WINDOW


def test_a_registered_customer_can_sign_in_and_see_themselves(client: Client, person: Person) -> None:
    answer = client.post(
        "/api/v1/auth/login", json={"email": person.email.upper(), "password": PASSWORD}
    ).json()
    me = client.get("/api/v1/me", headers={"Authorization": f"Bearer {answer['access_token']}"}).json()
    assert me == {"id": str(person.customer_id), "email": person.email, "name": "Anna", "locale": "ru"}


def test_an_unknown_email_and_a_wrong_password_get_the_same_answer(client: Client, person: Person) -> None:
    wrong = client.post("/api/v1/auth/login", json={"email": person.email, "password": "x" * 9})
    unknown = client.post("/api/v1/auth/login", json={"email": "nobody@example.org", "password": "x" * 9})
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
    assert wrong.status_code == 401


def test_an_email_is_taken_once_per_studio(client: Client, person: Person, other_shop: ShopWindow) -> None:
    body = {"email": person.email, "password": PASSWORD, "name": "Again"}
    taken = client.post("/api/v1/auth/register", json=body)
    elsewhere = client.post("/api/v1/auth/register", json=body, headers={"Host": other_shop.host})
    assert (taken.status_code, taken.json()["code"]) == (409, "email_taken")
    assert elsewhere.status_code == 201


def test_a_refresh_token_shown_twice_ends_the_sign_in(client: Client, person: Person) -> None:
    path = "/api/v1/auth/refresh"
    renewed = client.post(path, json={"refresh_token": person.refresh_token}).json()
    fresh = {"Authorization": f"Bearer {renewed['access_token']}"}
    assert client.get("/api/v1/me", headers=fresh).status_code == 200
    assert client.post(path, json={"refresh_token": person.refresh_token}).status_code == 401
    assert client.post(path, json={"refresh_token": renewed["refresh_token"]}).status_code == 401
    assert client.get("/api/v1/me", headers=fresh).status_code == 401


def test_signing_out_ends_the_access_token_too(client: Client, person: Person) -> None:
    answer = client.post("/api/v1/auth/logout", json={"refresh_token": person.refresh_token})
    assert answer.status_code == 204
    assert person.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("ending", ["sign-out", "reuse"])
def test_a_token_that_is_being_minted_ends_with_its_sign_in(
    api_database: str, client: Client, shop: ShopWindow, person: Person, ending: str
) -> None:
    """The refresh has not committed when the sign-in is ended: its token is not there yet to be revoked."""
    engine = create_role_engine(api_database, "billbus_api", "test-race")
    now = datetime.now(UTC)
    minted, shown = secrets.token_hex(16), person.refresh_token
    if ending == "reuse":
        renewed = client.post("/api/v1/auth/refresh", json={"refresh_token": shown}).json()
        person = replace(person, access_token=renewed["access_token"], refresh_token=renewed["refresh_token"])
    with ThreadPoolExecutor(1) as ender:
        with tenant(engine, shop.studio_id) as connection:
            rotation = rotate(connection, person.refresh_token, now)
            assert rotation is not None
            ended = ender.submit(_end, engine, shop, ending, shown, now)
            wait([ended], timeout=0.5)
            insert_session(connection, shop.studio_id, person.customer_id, rotation.family_id, minted, now)
        ended.result(timeout=10)
    engine.dispose()
    assert person.get("/api/v1/me").status_code == 401
    assert client.post("/api/v1/auth/refresh", json={"refresh_token": minted}).status_code == 401


def _end(engine: Engine, shop: ShopWindow, ending: str, token: str, now: datetime) -> None:
    with tenant(engine, shop.studio_id) as connection:
        if ending == "reuse":
            rotation = rotate(connection, token, now)
            assert rotation is not None
            assert rotation.is_reuse
        else:
            assert revoke_family(connection, token, now) is not None


def test_a_token_of_one_studio_is_none_in_another(
    client: Client, person: Person, other_shop: ShopWindow
) -> None:
    headers = {"Authorization": f"Bearer {person.access_token}", "Host": other_shop.host}
    assert client.get("/api/v1/me", headers=headers).status_code == 401
    refreshed = client.post(
        "/api/v1/auth/refresh",
        json={"refresh_token": person.refresh_token},
        headers={"Host": other_shop.host},
    )
    assert refreshed.status_code == 401


def _claims(person: Person, shop: ShopWindow) -> dict[str, Any]:
    claims = jwt.decode(person.access_token, options={"verify_signature": False})
    assert claims["aud"] == f"studio:{shop.studio_id}"
    return dict(claims)


@pytest.mark.parametrize(
    "change",
    [
        {"exp": datetime.now(UTC) - timedelta(seconds=5)},
        {"iat": datetime.now(UTC) + timedelta(hours=1)},
        {"aud": "studio:other"},
        {"iss": "somebody"},
        {"typ": "refresh"},
        {"sub": "not-an-id"},
        {"sub": 5},
        {"sid": None},
        {"exp": None},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_token_with_a_wrong_claim_is_refused(
    client: Client, person: Person, shop: ShopWindow, settings: ApiSettings, change: dict[str, Any]
) -> None:
    claims = {name: value for name, value in {**_claims(person, shop), **change}.items() if value is not None}
    token = jwt.encode(claims, settings.token_key.get_secret_value(), algorithm="HS256")
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize("algorithm", ["none", "HS512", "HS384"])
def test_another_algorithm_is_refused(
    client: Client, person: Person, shop: ShopWindow, settings: ApiSettings, algorithm: str
) -> None:
    key = "" if algorithm == "none" else settings.token_key.get_secret_value()
    token = jwt.encode(_claims(person, shop), key, algorithm=algorithm)
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi", "Bearer " + "A" * 9_000, "Bearer e30.e30.e30"],
)
def test_what_is_no_token_gets_401_with_a_challenge(client: Client, value: str) -> None:
    answer = client.get("/api/v1/me", headers={"Authorization": value})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_signed_with_another_key_is_refused(client: Client, person: Person, shop: ShopWindow) -> None:
    assert _claims(person, shop)["iss"] == ISSUER
    token = jwt.encode(_claims(person, shop), "k" * 40, algorithm="HS256")
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"password": "short"},
        {"password": "x" * 129},
        {"email": "no-at-sign"},
        {"email": "İ@example.org"},
        {"email": "a@b\u0000.org"},
        {"email": f"{'a' * 65}@example.org"},
        {"name": ""},
        {"locale": "de"},
        {"studio_id": "018f0000-0000-7000-8000-000000000000"},
        {"is_admin": True},
    ],
    ids=str,
)
def test_a_registration_that_is_not_quite_one_is_refused_without_echo(
    client: Client, change: dict[str, Any]
) -> None:
    body = {"email": "new@example.org", "password": "a long secret", "name": "Anna", **change}
    answer = client.post("/api/v1/auth/register", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "a long secret" not in answer.text
    assert "x" * 20 not in answer.text


def test_what_people_do_is_audited_without_personal_data(client: Client, storage: Any) -> None:
    person = register(client)
    client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    rows = storage(
        "SELECT action, facts::text, host(remote_address) FROM audit WHERE subject_id = %s ORDER BY id",
        person.customer_id,
    )
    assert [row[0] for row in rows] == ["register", "sign_in"]
    assert {row[2] for row in rows} == {"127.0.0.1"}
    assert person.email not in str(rows)


def test_a_failed_sign_in_is_audited_as_nobodys(client: Client, storage: Any) -> None:
    person = register(client)
    client.post("/api/v1/auth/login", json={"email": person.email, "password": "wrong password"})
    rows = storage(
        "SELECT action, principal, audit::text FROM audit WHERE subject_id = %s ORDER BY id",
        person.customer_id,
    )
    assert [row[:2] for row in rows] == [
        ("register", f"customer:{person.customer_id}"),
        ("sign_in_failed", "nobody"),
    ]
    assert not any(word in str(rows) for word in (person.email, "wrong password"))


def test_a_password_is_guessed_at_five_times_only(
    client: Client, person: Person, other_shop: ShopWindow
) -> None:
    def sign_in(email: str, password: str, host: str | None = None) -> Response:
        headers = {"Host": host} if host else {}
        return client.post("/api/v1/auth/login", json={"email": email, "password": password}, headers=headers)

    spelled = [person.email, person.email.upper(), person.email.title(), person.email, person.email]
    assert [sign_in(email, "wrong password").status_code for email in spelled] == [401] * 5
    refused = sign_in(person.email, PASSWORD)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_tries")
    assert 0 < int(refused.headers["Retry-After"]) <= WINDOW.total_seconds()
    other = register(client)
    assert sign_in(other.email, PASSWORD).status_code == 200
    there = register(client, other_shop.host)
    assert sign_in(there.email, PASSWORD, other_shop.host).status_code == 200
    assert person.get("/api/v1/me").status_code == 200
