"""The studio's staff at the command line: `billbus`, run as a process.

Called by the story. DATABASE_URL and AMQP_URL of the environment say which installation it is.
"""

import subprocess
import sys
from collections.abc import Sequence

from demo.expectations import StepFailed, expect


def billbus(words: Sequence[str], seconds_max: float) -> str:
    """What it printed. Raises StepFailed if it did not end well, or not in time."""
    shown = f"billbus {' '.join(words)}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds_max,
        )
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"{shown}: an end within {seconds_max:.0f} s", "nothing") from error
    expect(done.returncode == 0, f"{shown}: exit code 0", f"{done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()
