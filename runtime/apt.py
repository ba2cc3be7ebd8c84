"""Installing packages of the distribution, where we may: as root, or by `sudo -n`.

Called by those who need a server or a browser that no wheel brings.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

UPDATE_SECONDS_MAX = 300.0
INSTALL_SECONDS_MAX = 600.0
ASK_SECONDS_MAX = 60.0
LOCK_SECONDS_MAX = 120  # another apt at work on this machine
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
Progress = Callable[[str], None]


def install(packages: Sequence[str], progress: Progress) -> None:
    """Tries to; who calls looks whether they are there now. `progress` hears what is done and what fails."""
    prefix = _root_prefix()
    if prefix is None or not shutil.which("apt-get"):
        return
    progress(f"installing {' and '.join(packages)} with apt-get")
    settings = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    apt = [*prefix, "env", *settings, "apt-get", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS_MAX}"]
    run([*apt, "update"], UPDATE_SECONDS_MAX)  # it may fail for a source that has nothing to do with us
    done = run([*apt, "install", "-y", "--no-install-recommends", *packages], INSTALL_SECONDS_MAX)
    if done.returncode != 0:
        progress(f"apt-get could not install it: {_last_line(done)}")


def _root_prefix() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run(["sudo", "-n", "true"], ASK_SECONDS_MAX).returncode == 0:
        return ["sudo", "-n"]
    return None


def run(
    command: Sequence[str], seconds_max: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Never raises: what cannot be run, or takes too long, is a return code of 1."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds_max,
            cwd=cwd,
            env=os.environ | ENVIRONMENT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip() or "it says nothing").splitlines()[-1]
