"""Runs the twin; see the package's docstring for what it speaks."""

import argparse
from pathlib import Path

import uvicorn

from sandbox.cloudpayments.app import create_app


def main() -> None:
    """Read the command line and serve until a signal."""
    parser = argparse.ArgumentParser(prog="sandbox.cloudpayments", description="A CloudPayments twin")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="directory of the ledger")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--public-url", help="where a payer's browser reaches the twin")
    parser.add_argument("--retry-gaps", default="60,120,300,600,1800", help="seconds, the last one repeats")
    parser.add_argument("--callback-timeout", type=float, default=30.0, help="seconds")
    given = parser.parse_args()
    gaps = [float(gap) for gap in given.retry_gaps.split(",")]
    public_url = given.public_url or f"http://{given.host}:{given.port}"
    app = create_app(given.state, public_url, gaps, given.callback_timeout)
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
