"""The URLs that services connect with, as files of one directory: `<service>_database_url` and the like.

Called where logins and users are made of them. What is wrong is told by the file's name; no URL is shown.
"""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

SECRET_BYTES_MAX = 4_096


class ServiceUrlWrong(Exception):
    """A file is missing, cannot be read, or does not say what it should."""


@dataclass(frozen=True)
class ServiceUrl:
    """`place` is a database or a virtual host."""

    user: str
    password: str = field(repr=False)
    place: str


def read_service_url(directory: Path, service: str, setting: str) -> ServiceUrl:
    """What the file `<service>_<setting>` says; its user is the service. Raises ServiceUrlWrong."""
    path = directory / f"{service}_{setting}"
    try:
        with path.open(encoding="utf-8") as file:
            parts = urlsplit(file.read(SECRET_BYTES_MAX).strip())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "what it holds is no URL"
        raise ServiceUrlWrong(f"{path} cannot be used: {reason}") from None
    found = ServiceUrl(unquote(parts.username or ""), unquote(parts.password or ""), unquote(parts.path[1:]))
    if found.user != service:
        raise ServiceUrlWrong(f"{path} must name the user {service}.")
    if not found.password:
        raise ServiceUrlWrong(f"{path} holds no password.")
    return found
