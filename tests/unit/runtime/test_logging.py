"""One JSON line per record, with the ids of its context and without anybody's secrets."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
import structlog

from runtime.logging import REDACTED, bind, configure, without_values


@contextmanager
def configured() -> Iterator[None]:
    """Inside the test, since a fixture would still see another stdout."""
    root = logging.getLogger()
    handlers, level, raises = root.handlers[:], root.level, logging.raiseExceptions
    configure("client_api", "info")
    try:
        yield
    finally:
        root.handlers[:], logging.raiseExceptions = handlers, raises
        root.setLevel(level)
        logging.captureWarnings(False)
        structlog.reset_defaults()


def lines(capture: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capture.readouterr().out.splitlines()]


def test_a_line_carries_the_ids_of_its_context(capsys: pytest.CaptureFixture[str]) -> None:
    with configured(), bind(correlation_id="trace-1", command_id=UUID(int=1), studio_id=UUID(int=2)):
        structlog.get_logger("billing").info("applied %d", 3)
    (line,) = lines(capsys)
    assert line["message"] == "applied 3"
    assert line["log.level"] == "info"
    assert line["trace"] == {"id": "trace-1"}
    assert line["command"] == {"id": str(UUID(int=1))}
    assert line["studio"] == {"id": str(UUID(int=2))}
    assert line["service"] == {"name": "client_api"}


def test_the_standard_library_and_warnings_come_out_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    with configured(), warnings.catch_warnings():
        logging.captureWarnings(True)
        warnings.simplefilter("always")
        logging.getLogger("uvicorn.error").info("started %d", 3)
        warnings.warn("old", stacklevel=1)
    started, old = lines(capsys)
    assert started["message"] == "started 3"
    assert old["log.level"] == "warning"


def test_secrets_and_contacts_are_replaced_by_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    with configured():
        structlog.get_logger().info(
            "x", password="p1", nested={"refresh_token": "t1", "kept": 1}, Authorization="a1", email="e1"
        )
    text = capsys.readouterr().out
    assert text.count(REDACTED) == 4
    assert not {"p1", "t1", "a1", "e1"} & set(text.replace('"', " ").split())


def test_secrets_inside_lists_are_replaced_too(capsys: pytest.CaptureFixture[str]) -> None:
    with configured():
        structlog.get_logger().info("x", tried=[{"password": "p1"}, ("postgresql://billbus:p2@db/x",)])
    assert lines(capsys)[0]["tried"] == [{"password": REDACTED}, [f"postgresql://billbus:{REDACTED}@db/x"]]


def test_a_field_below_one_that_is_no_object_stays_dotted(capsys: pytest.CaptureFixture[str]) -> None:
    with configured():
        structlog.get_logger().info("x", **{"event.kind": "k", "http": 1, "http.route": "/x"})
    (line,) = lines(capsys)
    assert (line["event"], line["http"], line["http.route"]) == ({"kind": "k"}, 1, "/x")


def test_whatever_a_value_is_the_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with configured():
        structlog.get_logger().info("a%sb\u2028c\nd", id=UUID(int=1), half="\ud800", by={UUID(int=2): 1})
    (line,) = lines(capsys)
    assert line["message"] == "a%sb\u2028c\nd"
    assert line["id"] == repr(UUID(int=1))
    assert line["by"] == {str(UUID(int=2)): 1}


def test_a_value_that_cannot_be_written_breaks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Unprintable:
        def __repr__(self) -> str:
            raise ValueError

    with configured():
        structlog.get_logger().info("lost", value=Unprintable())
        structlog.get_logger().info("kept")
    assert [line["message"] for line in lines(capsys)] == ["kept"]


def test_an_exceptions_text_loses_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    # Apart from the raising line, which a traceback quotes.
    words = "postgresql://billbus:hunter2@db/x\nDETAIL:  Key (email)=(a@example.org)\n"
    with configured():
        try:
            raise ValueError(words)
        except ValueError:
            structlog.get_logger().exception("broke")
            logging.getLogger("celery").exception("broke too")
    text = capsys.readouterr().out
    assert text.count("ValueError") >= 2
    assert "hunter2" not in text
    assert "a@example.org" not in text


def test_json_that_postgres_quotes_is_left_out_and_its_own_functions_stay() -> None:
    quoted = 'CONTEXT:  JSON data, line 1: {"a":"secret...\nunnamed portal parameter $1'
    assert "secret" not in without_values(quoted)
    assert (
        without_values("CONTEXT:  PL/pgSQL function f() line 3") == "CONTEXT:  PL/pgSQL function f() line 3"
    )


def test_statement_parameters_are_left_out() -> None:
    assert "secret" not in without_values("[SQL: SELECT 1]\n[parameters: {'a': 'secret'}]\nmore")
