"""`.env.example` names every variable of the compose file and every setting, with the defaults that hold."""

import re
from typing import Any, Final

import yaml
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from runtime import settings as settings_room
from runtime.settings import Settings
from tests.integration.deploy.conftest import ROOT, Compose

# Settings that the file itself gives, or that no container has a use for.
GIVEN_BY_COMPOSE: Final = frozenset(
    {
        *("metrics_host", "metrics_port", "client_api_host", "client_api_port"),
        *("admin_api_host", "admin_api_port", "consumer_index", "consumer_count", "trusted_proxies"),
        *("backup_directory", "backup_secrets_directory", "backup_settings_file", "kibana_url"),
        "certificate_address",
        # A gateway with TLS stands before every stack; Celery's broker is RabbitMQ.
        *("secure_cookies", "celery_folder"),
    }
)
# What is mounted when nobody names a file is no default that anybody would write.
FILES: Final = frozenset({"ELASTICSEARCH_URL_FILE", "ELASTICSEARCH_CA_FILE"})
LINE: Final = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def _example() -> str:
    return (ROOT / ".env.example").read_text(encoding="utf-8")


def _classes() -> list[type[Settings]]:
    return [
        one for one in vars(settings_room).values() if isinstance(one, type) and issubclass(one, Settings)
    ]


def test_example_names_every_variable_and_setting_once_and_nothing_else(compose: Compose) -> None:
    interpolated = {line.split()[0] for line in compose("config", "--variables").stdout.splitlines()[1:]}
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    passed_on = {
        name
        for service in document["services"].values()
        for name, value in (service.get("environment") or {}).items()
        if value is None
    }
    named = {name for name, _value in LINE.findall(_example())}
    assert named == interpolated | passed_on | {"COMPOSE_PROFILES"}

    fields = {name for one in _classes() for name in one.model_fields}
    mounted = {target for service in document["services"].values() for target in _sources(service)}
    assert {field.upper() for field in fields - mounted - GIVEN_BY_COMPOSE} <= named
    assert fields >= GIVEN_BY_COMPOSE


def _sources(service: dict[str, Any]) -> set[str]:
    return {one if isinstance(one, str) else one["target"] for one in service.get("secrets", [])}


def test_example_shows_the_defaults(compose: Compose) -> None:
    normal, _demo, tuning = re.split(
        r"^# -+ (?:demo \(profile dev\)|tuning)$", _example(), flags=re.MULTILINE
    )
    shown = dict(LINE.findall(normal + tuning))
    rows = [line.split(maxsplit=2) for line in compose("config", "--variables").stdout.splitlines()[1:]]
    of_compose = {row[0]: row[2].strip() if len(row) > 2 else "" for row in rows}
    fields = {
        name.upper(): field
        for one in _classes()
        for name, field in one.model_fields.items()
        if field.default is not PydanticUndefined
    }
    for name, text in shown.items():
        if name in of_compose and name not in FILES:
            assert text == of_compose[name], name
        elif name in fields:
            assert _read(fields[name], text) == fields[name].default, name


def _read(field: FieldInfo, text: str) -> object:
    if text == "":
        return None
    assert field.annotation is not None
    adapter: TypeAdapter[object] = TypeAdapter(field.annotation)
    return adapter.validate_json(text) if text.startswith("[") else adapter.validate_strings(text)
