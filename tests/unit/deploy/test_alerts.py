"""Alert rules and dashboards: they read what we export, fire when they should, and lead to a runbook."""

import ast
import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from cron.jobs import JOBS
from runtime import storage_gauges
from tests.unit.deploy.promql import firing, read_series, seconds

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "deploy/prometheus"
GRAFANA = ROOT / "deploy/grafana"
RUNBOOKS = "docs/runbooks.md"
# Everything that counts something: importing it registers its metrics.
COUNTING = ("runtime.metrics", "web.edge", "client_api.callbacks", "notifications.sending")
# Of Prometheus itself, and of RabbitMQ's own plugin as a real node shows them.
OTHERS_METRICS = {
    "up",
    "ALERTS",
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_detailed_queue_messages",
    "rabbitmq_detailed_queue_messages_ready",
    "rabbitmq_detailed_queue_consumers",
}
METRIC = re.compile(r"\b(?:billbus|rabbitmq)_[a-z_]+|\b(?:up|ALERTS)\b(?=[ {=]|$)")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def load(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


RULES: list[dict[str, Any]] = [
    rule
    for file in sorted(PROMETHEUS.glob("rules/*.yml"))
    for group in load(file)["groups"]
    for rule in group["rules"]
]
BY_NAME = {rule["alert"]: rule for rule in RULES}
PLANTED = load(PROMETHEUS / "tests/rules.yml")
DASHBOARDS = {file.stem: json.loads(file.read_text()) for file in sorted(GRAFANA.glob("dashboards/*.json"))}


def exported() -> set[str]:
    """Every name that a process of ours may show."""
    for module in COUNTING:
        importlib.import_module(module)
    names = {
        family.name + suffix
        for family in REGISTRY.collect()
        for suffix in SUFFIXES.get(family.type, ())
        if family.name.startswith("billbus_")
    }
    return names | set(gauges_in("runtime/storage_gauges.py")) | set(gauges_in("cron/certificate.py"))


def gauges_in(file: str) -> Iterator[str]:
    """Gauges that are made when somebody looks; that they come is tested where their rows are."""
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Constant) and re.fullmatch(r"billbus_\w+", str(node.value)):
            yield str(node.value)


def metrics_of(expression: str) -> list[str]:
    return METRIC.findall(re.sub(r'"[^"]*"', '""', expression))


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


# ------------------------------------------------------------------ alerts


def test_an_alert_has_a_name_of_its_own_and_all_that_a_person_needs() -> None:
    assert len(BY_NAME) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}#{rule['alert'].lower()}"


@pytest.mark.parametrize("name", BY_NAME)
def test_the_runbook_of_an_alert_is_there(name: str) -> None:
    headings = re.findall(r"^#+ +(.+?) *$", (ROOT / RUNBOOKS).read_text(), re.MULTILINE)
    assert name in [heading.strip("`") for heading in headings]


def test_alerts_read_what_is_exported() -> None:
    read = {name for rule in RULES for name in metrics_of(rule["expr"])}
    assert len(read) > 20
    assert read - exported() - OTHERS_METRICS == set()


@pytest.mark.parametrize("name", BY_NAME)
def test_every_alert_is_planted_quiet_and_firing(name: str) -> None:
    expected = [
        bool(look["exp_samples"])
        for test in PLANTED["tests"]
        for look in test["promql_expr_test"]
        if f'"{name}"' in look["expr"]
    ]
    assert {True, False} <= set(expected)


@pytest.mark.parametrize("test", PLANTED["tests"], ids=lambda test: test["name"])
def test_planted_series_fire_what_they_should(test: dict[str, Any]) -> None:
    series = [read_series(one["series"], one["values"], test["interval"]) for one in test["input_series"]]
    for look in test["promql_expr_test"]:
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', look["expr"]))
        name, state = wanted.pop("alertname"), wanted.pop("alertstate")
        assert state == "firing"
        # promtool looks every minute, at its shortest.
        step = min(60, seconds(PLANTED["evaluation_interval"]))
        found = firing(BY_NAME[name], series, seconds(look["eval_time"]), step)
        count = sum(wanted.items() <= set(labels) for labels in found)
        assert count == sum(sample["value"] for sample in look["exp_samples"]), (look["eval_time"], found)


if promtool := shutil.which("promtool"):

    @pytest.mark.parametrize(
        "words",
        [
            ["check", "config", "prometheus.yml"],
            *[["check", "rules", str(file)] for file in sorted(PROMETHEUS.glob("rules/*.yml"))],
            ["test", "rules", "tests/rules.yml"],
        ],
        ids=lambda words: f"{words[0]} {Path(words[2]).stem}",
    )
    def test_promtool_agrees(words: list[str]) -> None:
        told = subprocess.run(
            [str(promtool), *words], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False
        )
        assert told.returncode == 0, told.stdout + told.stderr


# ------------------------------------------------------------------ who is asked


def test_every_process_of_the_composition_that_shows_metrics_is_asked_at_its_port() -> None:
    asked = {
        (name, config["port"])
        for job in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]
        for config in job.get("dns_sd_configs", [])
        for name in config["names"]
    }
    services = load(ROOT / "docker-compose.yml")["services"]
    showing = {
        (name, int(environment["METRICS_PORT"]))
        for name, service in services.items()
        if "METRICS_PORT" in (environment := service.get("environment") or {})
    }
    assert len(showing) >= 7
    assert asked == showing | {("client_api", 8000), ("admin_api", 8001), ("rabbitmq", 15692)}


def test_whoever_is_asked_is_missed_when_gone() -> None:
    jobs = {job["job_name"] for job in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    assert set(re.findall(r'absent\(up\{job="(\w+)"\}\)', BY_NAME["ServerGone"]["expr"])) == jobs - {
        "prometheus"
    }


def test_gauges_of_jobs_are_of_the_jobs_there_are() -> None:
    assert set(storage_gauges.JOBS) == {*JOBS, "restore_drill"}


# ------------------------------------------------------------------ dashboards


def test_what_alerts_about_money_read_is_shown() -> None:
    shown = {
        metric
        for board in DASHBOARDS.values()
        for panel in panels(board)
        for target in panel["targets"]
        for metric in metrics_of(target["expr"])
    }
    (money,) = load(PROMETHEUS / "rules/money.yml")["groups"]
    assert {metric for rule in money["rules"] for metric in metrics_of(rule["expr"])} <= shown


@pytest.mark.parametrize("name", ["operations", "money"])
def test_a_dashboard_reads_what_is_exported_in_units(name: str) -> None:
    shown = panels(DASHBOARDS[name])
    read = {metric for panel in shown for target in panel["targets"] for metric in metrics_of(target["expr"])}
    assert read
    assert read - exported() - OTHERS_METRICS == set()
    for panel in shown:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "billbus-prometheus"}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


def test_dashboards_keep_their_addresses_and_their_panels_apart() -> None:
    assert {name: board["uid"] for name, board in DASHBOARDS.items()} == {
        "money": "billbus-money",
        "operations": "billbus-operations",
    }
    for board in DASHBOARDS.values():
        places = [panel["gridPos"] for panel in board["panels"]]
        cells = [
            (x, y)
            for place in places
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))
        assert all(x < 24 for x, _ in cells)
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_grafana_is_given_the_datasource_that_dashboards_name_and_the_folder_they_are_in() -> None:
    (source,) = load(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert (source["uid"], source["type"], source["url"]) == (
        "billbus-prometheus",
        "prometheus",
        "http://prometheus:9090",
    )
    (provider,) = load(GRAFANA / "provisioning/dashboards/billbus.yml")["providers"]
    volumes = load(ROOT / "docker-compose.yml")["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in volumes
