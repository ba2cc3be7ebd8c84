"""The page about the bus, for those who integrate: channels, who sends and receives, every message.

Made on the server of the same description as the AsyncAPI document, which is beside it; nothing comes from
another host, and no script is needed to read it. English only, as the document is.
"""

import re
from functools import cache
from itertools import groupby
from typing import Final

import orjson
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bus.documents.asyncapi import VERSION, document, example_headers
from bus.documents.catalog import Described, described, parts
from bus.documents.words import DESCRIPTION, HEADERS, PROCESSES, PROPERTIES, TITLE
from bus.messages import PARTITION_COUNT
from bus.port import SUBSCRIPTIONS
from bus.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, command_queue, event_queue
from web.documentation import POLICY

_CODE: Final = re.compile(r"`([^`]+)`")
_STRONG: Final = re.compile(r"\*\*([^*]+)\*\*")
_templates = Environment(
    loader=PackageLoader("web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def mount(app: FastAPI, prefix: str = "") -> None:
    """`/bus` and `/bus/asyncapi.json` below `prefix`. The style sheet is `documentation`'s to serve."""
    page, text = render(prefix), orjson.dumps(document())

    @app.get(f"{prefix}/bus", include_in_schema=False)
    async def bus() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    @app.get(f"{prefix}/bus/asyncapi.json", include_in_schema=False)
    async def asyncapi() -> Response:
        return Response(text, media_type="application/json")


@cache
def render(prefix: str) -> str:
    """The whole page; the same for the same code."""
    events = [one for one in described() if one.kind == "event"]
    return _templates.get_template("bus.html").render(
        title=TITLE,
        version=VERSION,
        prefix=prefix,
        paragraphs=[marked(one) for one in DESCRIPTION.split("\n\n")],
        channels=_channels(),
        processes=_processes(),
        properties=PROPERTIES,
        headers=HEADERS,
        events=[(name, list(group)) for name, group in groupby(events, _aggregate)],
        commands=[one for one in described() if one.kind == "command"],
        parts=parts(),
        marked=marked,
        payload_of=lambda one: _json(one.example),
        headers_of=lambda one: _json(example_headers(one)),
    )


def marked(text: str) -> Markup:
    """Our own words: `code` and **strong** become elements, everything else is escaped."""
    coded = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_STRONG.sub(r"<strong>\1</strong>", coded))  # noqa: S704


def _aggregate(one: Described) -> str:
    return one.name.partition(".")[0]


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _channels() -> list[tuple[str, str, str]]:
    """(name, where it is, what one does with it)."""
    queues = command_queue(0).replace("0", f"{{0…{PARTITION_COUNT - 1}}}")
    return [
        (
            EVENTS_EXCHANGE,
            "topic exchange",
            "All events; the routing key is the name. Bind a durable queue of your own: `invoice.*` are all "
            "events of invoices, `#` is everything.",
        ),
        *(
            (
                event_queue(one.consumer),
                "queue",
                f"Ours: {PROCESSES[one.consumer]}. Not for others to consume.",
            )
            for one in SUBSCRIPTIONS
        ),
        (
            queues,
            "queues",
            f"Commands, by `{COMMANDS_EXCHANGE}` with the partition as routing key. All of one customer are "
            "in one partition, which has one consumer at a time. Only our processes send here.",
        ),
        (
            "….dead",
            "queues",
            "Beside each queue: what could not be read, or failed for itself alone. "
            "`billbus bus parked list` shows it, `billbus bus replay` sends it once more under its id.",
        ),
    ]


def _processes() -> list[tuple[str, str, list[Described], list[Described]]]:
    """(process, what it is for, what it sends, what it receives)."""
    return [
        (
            process,
            purpose,
            [one for one in described() if process in one.senders],
            [one for one in described() if process in one.receivers],
        )
        for process, purpose in PROCESSES.items()
    ]
