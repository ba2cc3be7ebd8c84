"""Runs the mailbox; see the package's docstring for what it speaks."""

import argparse
from pathlib import Path

import uvicorn

from sandbox.mailbox.app import create_app


def main() -> None:
    """Read the command line and serve until a signal."""
    parser = argparse.ArgumentParser(prog="sandbox.mailbox", description="A mailbox that delivers nothing")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--port", type=int, required=True, help="of the page and the control API")
    parser.add_argument("--state", type=Path, required=True, help="directory of the messages")
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    app = create_app(given.state, given.host, given.smtp_port)
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
