"""`python -m integrations.search_index.setup`: policies and templates into Elasticsearch, pages into Kibana.

Run once beside the stack, and again after an update: everything is put under a fixed name over what was
there. What it puts are the files of deploy/elasticsearch and deploy/kibana. Indices that are there learn the
fields that are new; it touches no document.
"""

import argparse
import json
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import structlog
from pydantic import SecretStr

from runtime.logging import configure
from runtime.settings import SearchSetupSettings, load_settings

SERVICE: Final = "search_setup"
CHECKOUT: Final = Path(__file__).resolve().parents[2]
REQUEST_TIMEOUT_SECONDS: Final = 30.0
# An import into a Kibana that has just begun takes its time.
IMPORT_TIMEOUT_SECONDS: Final = 120.0
POLL_SECONDS: Final = 2.0
WAIT_SECONDS: Final = 300.0
ANSWER_CHARACTERS_MAX: Final = 500
# What is put, in this order: a template names its policy. (folder below deploy/elasticsearch, path)
PUTS: Final = (("policies", "/_ilm/policy/"), ("templates", "/_index_template/"))
# The template whose indices refuse what they have no field for: that of this month is older than an update.
STRICT_TEMPLATE: Final = "templates/billing-events.json"
# There may be none yet, and one may be closed.
OF_THOSE_THERE: Final = "?allow_no_indices=true&ignore_unavailable=true"

log = structlog.get_logger(__name__)


class SetupFailed(Exception):
    """A server did not come, or did not take what it was given."""


def main() -> None:
    given = _parse()
    settings = load_settings(SearchSetupSettings)
    configure(SERVICE)
    elasticsearch_url = given.elasticsearch or _revealed(settings.elasticsearch_url)
    kibana_url = given.kibana or _revealed(settings.kibana_url)
    if elasticsearch_url is None:
        raise SystemExit("billbus: ELASTICSEARCH_URL: is missing")
    try:
        with _client(elasticsearch_url, settings) as elasticsearch:
            set_up_elasticsearch(elasticsearch, given.files / "elasticsearch", given.wait_seconds)
            if settings.kibana_password is not None:
                set_kibana_password(elasticsearch, settings.kibana_password.get_secret_value())
            if kibana_url is not None:
                with _client(kibana_url, settings, like=elasticsearch_url) as kibana:
                    set_up_kibana(kibana, given.files / "kibana", given.wait_seconds)
    except SetupFailed as failure:
        log.error("search index is not set up", reason=str(failure))
        sys.exit(1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m integrations.search_index.setup",
        description="Put index templates into Elasticsearch and dashboards into Kibana. May be repeated.",
        epilog="Also read: ELASTICSEARCH_API_KEY, ELASTICSEARCH_CA_FILE, KIBANA_PASSWORD.",
    )
    parser.add_argument("--elasticsearch", metavar="URL", help="instead of ELASTICSEARCH_URL")
    parser.add_argument("--kibana", metavar="URL", help="instead of KIBANA_URL; without one it is left alone")
    parser.add_argument("--files", metavar="DIR", type=Path, default=CHECKOUT / "deploy")
    parser.add_argument("--wait-seconds", metavar="N", type=float, default=WAIT_SECONDS)
    return parser.parse_args()


def _client(url: str, settings: SearchSetupSettings, like: str = "") -> httpx.Client:
    """Asks `url` with the key, or as the user in it, or as the one in `like`."""
    key, ca_file = settings.elasticsearch_api_key, settings.elasticsearch_ca_file
    headers = {"Authorization": f"ApiKey {key.get_secret_value()}"} if key else {}
    try:
        verify = ssl.create_default_context(cafile=ca_file)
        asked = httpx.URL(url)
        named = asked if asked.userinfo else httpx.URL(like)
        auth = httpx.BasicAuth(named.username, named.password) if named.userinfo and not key else None
        return httpx.Client(
            base_url=asked.copy_with(userinfo=b""),
            headers=headers,
            auth=auth,
            verify=verify,
            timeout=REQUEST_TIMEOUT_SECONDS,
        )
    except (OSError, httpx.InvalidURL) as error:
        raise SetupFailed(f"a URL or ELASTICSEARCH_CA_FILE cannot be used: {error}") from error


def _revealed(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def set_up_elasticsearch(client: httpx.Client, folder: Path, wait_seconds: float) -> None:
    """Puts every file of `folder` under its own name. Raises SetupFailed."""
    _wait_until("Elasticsearch", lambda: client.get("/").is_success, wait_seconds)
    for kind, path in PUTS:
        for file in _files(folder / kind, "*.json"):
            _take(client.put, path + file.stem, file.read_bytes())
            log.info("put", what=kind, name=file.stem)
    extend_indices(client, folder / STRICT_TEMPLATE)


def extend_indices(client: httpx.Client, template_file: Path) -> None:
    """Gives the indices of a template that are there the fields that it has now. Raises SetupFailed."""
    template = json.loads(template_file.read_bytes())
    path = f"/{','.join(template['index_patterns'])}/_mapping{OF_THOSE_THERE}"
    _take(client.put, path, json.dumps(template["template"]["mappings"]).encode())
    log.info("put", what="mappings", name=template_file.stem)


def set_kibana_password(client: httpx.Client, password: str) -> None:
    """Of the user as whom Kibana keeps its own data. Raises SetupFailed."""
    body = httpx.Request("POST", "http://x", json={"password": password}).content
    _take(client.post, "/_security/user/kibana_system/_password", body)
    log.info("kibana_system has its password")


def set_up_kibana(client: httpx.Client, folder: Path, wait_seconds: float) -> None:
    """Imports every object of `folder` over those with the same ids. Raises SetupFailed."""
    _wait_until("Kibana", lambda: _is_available(client.get("/api/status")), wait_seconds)
    # One import: an object may refer to one of another file.
    objects = b"".join(file.read_bytes().rstrip() + b"\n" for file in _files(folder, "*.ndjson"))
    answer = _asked(
        lambda: client.post(
            "/api/saved_objects/_import?overwrite=true",
            headers={"kbn-xsrf": "true"},
            files={"file": ("billbus.ndjson", objects, "application/ndjson")},
            timeout=IMPORT_TIMEOUT_SECONDS,
        )
    )
    if not answer.json().get("success"):
        raise SetupFailed(f"Kibana did not take all objects: {answer.text[:ANSWER_CHARACTERS_MAX]}")
    log.info("imported", objects=answer.json().get("successCount"))


def _files(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise SetupFailed(f"no {pattern} in {folder}")
    return found


def _is_available(answer: httpx.Response) -> bool:
    if not answer.is_success:
        return False
    status = answer.json().get("status", {})
    return bool(status.get("overall", {}).get("level") == "available")


def _wait_until(name: str, is_up: Callable[[], bool], wait_seconds: float) -> None:
    until = time.monotonic() + wait_seconds
    while True:
        try:
            if is_up():
                return
            reason = "it is not ready"
        except (httpx.HTTPError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
        if time.monotonic() >= until:
            raise SetupFailed(f"{name} did not come within {wait_seconds:.0f} s: {reason}")
        time.sleep(min(POLL_SECONDS, max(0.0, until - time.monotonic())))


def _take(send: Callable[..., httpx.Response], path: str, body: bytes) -> None:
    _asked(lambda: send(path, content=body, headers={"Content-Type": "application/json"}))


def _asked(ask: Callable[[], httpx.Response]) -> httpx.Response:
    try:
        answer = ask()
    except httpx.HTTPError as error:
        raise SetupFailed(f"{type(error).__name__}: {error}") from error
    if not answer.is_success:
        raise SetupFailed(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} "
            f"{answer.text[:ANSWER_CHARACTERS_MAX]}"
        )
    return answer


if __name__ == "__main__":
    main()
