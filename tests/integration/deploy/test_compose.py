"""docker-compose.yml as the real Compose reads it: what holds for every service, and what it may not hold."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy import make_secrets
from runtime.settings import (
    AdminSettings,
    ApiSettings,
    ConsumerSettings,
    CronSettings,
    EventSettings,
    ProcessSettings,
    SearchSetupSettings,
    Settings,
    TaskSettings,
)
from tests.gateway import NGINX
from tests.integration.deploy.conftest import ROOT, Compose

Stack = dict[str, Any]

SETTINGS: Final[dict[str, type[Settings]]] = {
    "migrate": ProcessSettings,
    "client_api": ApiSettings,
    "admin_api": AdminSettings,
    "billing_consumer": ConsumerSettings,
    "billing_consumer_2": ConsumerSettings,
    "state_updater": TaskSettings,
    "worker": TaskSettings,
    "beat": TaskSettings,
    "events": EventSettings,
    "cron": CronSettings,
    "search_setup": SearchSetupSettings,
}
SECRETS_DIR: Final = "SECRETS_DIR"
# Files that are there under their own name: for `db logins`, and for a backup.
MOUNTED_FOR_OTHERS: Final = {
    "migrate": re.compile(r"\w+_database_url"),
    "cron": re.compile(r"token_key|form_key|link_key|smtp_password"),
}
NOT_OURS_TO_PUBLISH: Final = "127.0.0.1"


def _own(stack: Stack) -> dict[str, Stack]:
    return {name: one for name, one in stack["services"].items() if one["image"].startswith("billbus:")}


def _targets(service: Stack) -> dict[str, str]:
    """Name of the file below /run/secrets, and of the secret."""
    return {one["target"].removeprefix("/run/secrets/"): one["source"] for one in service.get("secrets", [])}


@pytest.mark.parametrize("profile", ["", "logs", "metrics", "dev", "acme"])
def test_compose_takes_the_file(compose: Compose, profile: str) -> None:
    chosen = ["--profile", profile] if profile else []
    done = compose(*chosen, "config", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


def test_core_needs_no_profile(compose: Compose) -> None:
    core = set(compose("config", "--services").stdout.split())
    assert core == {
        *("postgres", "definitions", "rabbitmq", "migrate", "client_api", "admin_api", "billing_consumer"),
        *("billing_consumer_2", "state_updater", "worker", "beat", "events", "cron", "certificate", "nginx"),
    }


def test_each_service_is_held_in_bounds(stack: Stack) -> None:
    for name, service in stack["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert int(service["mem_limit"]) > 0, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert service["restart"] in ("no", "unless-stopped"), name
        assert "privileged" not in service, name


def test_ours_run_as_nobody_special_on_a_file_system_that_stays(stack: Stack) -> None:
    for name, service in _own(stack).items():
        assert service["user"] == "10001:10001", name
        assert service["read_only"] is True, name
        assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"], name  # noqa: S108
        assert "cap_add" not in service, name
    assert stack["services"]["nginx"]["user"] == "10001:10001"
    assert "cap_add" not in stack["services"]["nginx"]


def test_whatever_stays_up_is_asked_for_its_health(stack: Stack) -> None:
    for name, service in stack["services"].items():
        assert (service["restart"] == "no") != ("healthcheck" in service), name
    for name, service in _own(stack).items():
        if "healthcheck" in service:
            words = service["healthcheck"]["test"]
            assert words[:4] == ["CMD", "python", "-m", "runtime.health"], name


def test_each_health_check_asks_the_port_that_its_process_has(stack: Stack) -> None:
    for name, service in _own(stack).items():
        environment = service.get("environment", {})
        given = [v for k, v in environment.items() if k.endswith("_PORT") and k != "SMTP_PORT"]
        given += [word.split("=")[1] for word in service["command"] if word.startswith("--port=")]
        if "healthcheck" in service:
            assert re.findall(r":(\d+)/", service["healthcheck"]["test"][4]) == given, name


def test_images_are_pinned(stack: Stack) -> None:
    for name, service in stack["services"].items():
        _image, _, tag = service["image"].rpartition(":")
        assert re.match(r"v?\d+\.\d+", tag), name
    pinned = re.findall(r"^(?:ARG PYTHON_IMAGE=|FROM )(.*)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", pinned[0])
    assert all(base.startswith("${PYTHON_IMAGE}") for base in pinned[1:])


def test_only_the_gateway_is_published_beyond_this_host(stack: Stack) -> None:
    published = {
        (name, port["target"]): port.get("host_ip")
        for name, service in stack["services"].items()
        for port in service.get("ports", [])
    }
    worldwide = {place for place, host_ip in published.items() if host_ip != NOT_OURS_TO_PUBLISH}
    assert worldwide == {("nginx", 80), ("nginx", 443), ("nginx", 8443)}
    assert published[("rabbitmq", 15672)] == published[("kibana", 5601)] == NOT_OURS_TO_PUBLISH


def test_servers_are_not_on_the_gateways_network(stack: Stack) -> None:
    assert stack["networks"]["backend"]["internal"] is True
    on_front = {name for name, one in stack["services"].items() if "front" in (one.get("networks") or {})}
    assert on_front == {"nginx", "client_api", "admin_api"}
    assert set(stack["services"]["nginx"]["networks"]) == {"front", "outside"}
    assert set(stack["services"]["postgres"]["networks"]) == {"backend"}


def test_only_the_gateways_network_is_trusted(compose: Compose) -> None:
    read = yaml.safe_load(compose("config", FRONT_SUBNET="10.9.8.0/24").stdout)
    assert read["networks"]["front"]["ipam"]["config"] == [{"subnet": "10.9.8.0/24"}]
    for name in ("client_api", "admin_api"):
        assert read["services"][name]["environment"]["TRUSTED_PROXIES"] == "10.9.8.0/24"


def test_no_secret_is_in_the_environment(stack: Stack) -> None:
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$|DATABASE_URL|AMQP_URL|BROKER_URL|DSN", re.IGNORECASE)
    place_of_one = re.compile(r"_FILE$|_DIR$|_DIRECTORY$|^GATEWAY_CERTIFICATE_KEY$")
    for name, service in stack["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            is_place = place_of_one.search(variable) and str(value).startswith("/")
            assert is_place or not secret.search(variable), f"{name}: {variable}"
            assert "://" not in str(value) or "@" not in str(value), f"{name}: {variable}"


@pytest.mark.parametrize("name", SETTINGS)
def test_secrets_and_variables_are_settings_of_their_process(stack: Stack, name: str) -> None:
    service = stack["services"][name]
    fields = SETTINGS[name].model_fields
    others = MOUNTED_FOR_OTHERS.get(name, re.compile("(?!)"))

    assert service["environment"][SECRETS_DIR] == "/run/secrets"
    unknown = [
        target for target in _targets(service) if target not in fields and not others.fullmatch(target)
    ]
    assert unknown == []
    assert [v for v in service["environment"] if v.lower() not in fields and v != SECRETS_DIR] == []


@pytest.mark.parametrize("name", SETTINGS)
def test_each_process_has_what_it_cannot_do_without(stack: Stack, name: str) -> None:
    service = stack["services"][name]
    given = {*_targets(service), *map(str.lower, service["environment"])}
    assert [
        n for n, field in SETTINGS[name].model_fields.items() if field.is_required() and n not in given
    ] == []


def test_each_process_has_a_login_of_its_own(stack: Stack) -> None:
    owners = {name for name, one in _own(stack).items() if "owner_database_url" in _targets(one).values()}
    assert owners == {"migrate", "cron", "seed"}
    for name in SETTINGS.keys() - {"migrate", "beat", "search_setup"}:
        service = name.removesuffix("_2")
        assert _targets(stack["services"][name])["database_url"] == f"{service}_database_url"
        assert _targets(stack["services"][name])["amqp_url"] == f"{service}_amqp_url"


def test_secrets_are_those_that_are_made(stack: Stack, tmp_path: Path) -> None:
    made = make_secrets.make_all(tmp_path / "secrets")
    assert set(made) == stack["secrets"].keys()
    for name, secret in stack["secrets"].items():
        assert secret["file"] == str(ROOT / "secrets" / name)


@pytest.mark.parametrize(
    ("given", "source", "told"),
    [("", "/dev/null", ""), ("./ca.pem", str(ROOT / "ca.pem"), "/run/elasticsearch/ca.pem")],
)
def test_events_are_told_of_an_authority_that_is_mounted(
    compose: Compose, given: str, source: str, told: str
) -> None:
    read = yaml.safe_load(compose("config", ELASTICSEARCH_CA_FILE=given).stdout)
    events = read["services"]["events"]
    (mount,) = events["volumes"]
    assert events["environment"]["ELASTICSEARCH_CA_FILE"] == told
    assert (mount["source"], mount["target"]) == (source, "/run/elasticsearch/ca.pem")


def test_ours_stop_when_their_work_can_be_over(stack: Stack) -> None:
    fields = TaskSettings.model_fields
    assert _seconds(stack["services"]["worker"]["stop_grace_period"]) > fields["lease_seconds"].default
    for name, service in _own(stack).items():
        if name in SETTINGS and service["restart"] != "no":
            assert _seconds(service["stop_grace_period"]) >= 30, name


def test_two_consumers_share_the_partitions(stack: Stack) -> None:
    pair = [stack["services"][name] for name in ("billing_consumer", "billing_consumer_2")]
    assert [one["environment"]["CONSUMER_INDEX"] for one in pair] == ["0", "1"]
    assert {one["environment"]["CONSUMER_COUNT"] for one in pair} == {"2"}
    assert pair[0]["command"] == pair[1]["command"]


def test_each_metrics_port_is_one_process_alone(stack: Stack) -> None:
    ports = [
        one["environment"]["METRICS_PORT"]
        for one in stack["services"].values()
        if "METRICS_PORT" in (one.get("environment") or {})
    ]
    assert len(ports) == len(set(ports)) == 7


def test_template_and_compose_agree_on_the_gateways_variables(stack: Stack) -> None:
    template = (NGINX / "templates" / "billbus.conf.template").read_text(encoding="utf-8")
    given = {name for name in stack["services"]["nginx"]["environment"] if name.startswith("GATEWAY_")}
    assert set(re.findall(r"\$\{(GATEWAY_[A-Z_]+)\}", template)) == given


def _seconds(duration: str) -> int:
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert parts is not None
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds
