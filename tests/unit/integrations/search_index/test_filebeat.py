"""What Filebeat is told: our services' lines, into our data stream. No Filebeat has read it here."""

import json
import logging
import re
from typing import Any

import pytest
import structlog
import yaml

from runtime.logging import bind, configure
from tests.unit.integrations.search_index.files import DEPLOY, flat, mapping, template

LOGS = "logs-billbus"
SERVICES = DEPLOY.parent
CONFIGURED: dict[str, Any] = yaml.safe_load((DEPLOY / "filebeat" / "filebeat.yml").read_text())


def processors(name: str) -> list[Any]:
    return [one[name] for one in CONFIGURED["processors"] if name in one]


def service_names() -> set[str]:
    """Of every process in the checkout that writes lines."""
    names = {"worker", "beat", "nginx"}
    for package in SERVICES.glob("*/__init__.py"):
        for module in package.parent.rglob("*.py"):
            if "SERVICE" in (text := module.read_text()):
                names |= set(re.findall(r'^SERVICE(?:: Final)? = "(\w+)"', text, re.MULTILINE))
    return names


def test_the_lines_of_every_service_are_taken_and_no_others() -> None:
    (dropped,) = processors("drop_event")
    kept = {one["equals"]["service.name"] for one in dropped["when"]["not"]["or"]}
    assert kept == service_names()


def test_they_go_where_our_template_makes_a_data_stream() -> None:
    index = CONFIGURED["output.elasticsearch"]["index"]
    assert index == "logs-billbus-default"
    (added,) = [one for one in processors("add_fields") if one["target"] == "data_stream"]
    assert "-".join(added["fields"][part] for part in ("type", "dataset", "namespace")) == index
    assert template(LOGS)["index_patterns"] == ["logs-billbus-*"]
    assert template(LOGS)["data_stream"] == {}
    assert CONFIGURED["setup.template.enabled"] is CONFIGURED["setup.ilm.enabled"] is False


def test_lines_are_read_out_of_docker_s_own_and_taken_as_they_are() -> None:
    (source,) = CONFIGURED["filebeat.inputs"]
    assert source["type"] == "filestream"
    container, ndjson = source["parsers"]
    assert container["container"]["format"] == "docker"
    assert ndjson["ndjson"] == {
        "target": "",
        "overwrite_keys": True,
        "expand_keys": True,
        "add_error_key": False,
        "ignore_decoding_error": True,
    }


def test_what_we_write_has_the_fields_that_people_search_by(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level, raises = root.handlers[:], root.level, logging.raiseExceptions
    configure("client_api")
    try:
        with bind(correlation_id="trace-1"):
            structlog.get_logger("web.access").error(
                "request", **{"http.route": "/x", "http.response.status_code": 200}, exc_info=ValueError("x")
            )
    finally:
        root.handlers[:], logging.raiseExceptions = handlers, raises
        root.setLevel(level)
        logging.captureWarnings(False)
        structlog.reset_defaults()
    fields = dict(flat(json.loads(capsys.readouterr().out)))
    searched = {"@timestamp", "log.level", "log.logger", "service.name", "message", "trace.id", "http.route"}
    assert searched | {"http.response.status_code", "error.stack_trace"} <= fields.keys()
    assert fields.keys() <= mapping(LOGS).keys()
