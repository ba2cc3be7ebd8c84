"""`python3 deploy/make_secrets.py [DIRECTORY]`: the secrets that docker-compose.yml mounts, each in its file.

Called by a person before the first `docker compose up`, with any Python and nothing installed. What is there
stays: nothing is ever overwritten, and no secret is printed. To change one, remove its file (of a user of the
broker: all of its URLs), call this again and restart. `.env` is begun from `.env.example`.

Compose mounts the files as they are, and the containers' users are not ours: so they may be read by all, and
the directory by its owner alone keeps everybody else on this host away from them.
"""

import base64
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

DIRECTORY_MODE = 0o700
FILE_MODE = 0o644
ROOT = Path(__file__).resolve().parent.parent

# A login of the database each; the owner's is the password of the server itself.
LOGINS = ("client_api", "admin_api", "billing_consumer", "state_updater", "worker", "events", "cron")
# Users of the broker, by virtual host and the setting that holds its URL.
BROKER_USERS = {
    ("amqp_url", "billbus"): (
        *("migrate", "client_api", "admin_api", "billing_consumer", "state_updater"),
        *("worker", "events", "cron", "operator"),
    ),
    ("celery_broker_url", "celery"): ("state_updater", "worker", "beat"),
}
RANDOM = (
    *("postgres_password", "token_key", "form_key", "link_key"),
    *("elastic_password", "kibana_password", "kibana_key", "grafana_password"),
    *("demo_provider_secret", "demo_staff_password"),
)
# Given by others; empty means that there is none.
FOR_YOU = ("smtp_password", "error_reporter_token", "elasticsearch_url", "elasticsearch_api_key")


class Vault:
    """A directory of secrets that only ever grows."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.made: list[str] = []
        directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        directory.chmod(DIRECTORY_MODE)

    def read(self, name: str) -> str | None:
        """What the file says; None when there is none."""
        try:
            return (self._directory / name).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None

    def keep(self, name: str, value: str) -> str:
        """The secret of this name: the one that is there, or else this one from now on."""
        found = self.read(name)
        if found is not None:
            return found
        # Written beside and then renamed: cut short, it leaves no half of a secret.
        unfinished = self._directory / f".{name}.unfinished"
        unfinished.write_text(value, encoding="utf-8")
        unfinished.chmod(FILE_MODE)
        unfinished.rename(self._directory / name)
        self.made.append(name)
        return value


def make_all(directory: Path) -> list[str]:
    """Makes what is missing; the names of what was made."""
    vault = Vault(directory)
    for name in RANDOM:
        vault.keep(name, _random())
    for name in FOR_YOU:
        vault.keep(name, "")
    vault.keep("sealing_key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    elastic_password = vault.keep("elastic_password", _random())
    vault.keep("elasticsearch_admin_url", f"http://elastic:{elastic_password}@elasticsearch:9200")
    _keep_database_urls(vault)
    _keep_broker_urls(vault)
    return vault.made


def _keep_database_urls(vault: Vault) -> None:
    vault.keep("owner_database_url", _database_url("billbus", vault.keep("postgres_password", _random())))
    for login in LOGINS:
        vault.keep(f"{login}_database_url", _database_url(login, _random()))


def _keep_broker_urls(vault: Vault) -> None:
    """A user has one password, whatever the virtual host."""
    for user in sorted({user for users in BROKER_USERS.values() for user in users}):
        hosts = {
            f"{user}_{setting}": host for (setting, host), users in BROKER_USERS.items() if user in users
        }
        known = [urlsplit(url).password for url in map(vault.read, hosts) if url]
        password = next(filter(None, known), None) or _random()
        for name, host in hosts.items():
            vault.keep(name, f"amqp://{user}:{password}@rabbitmq:5672/{host}")


def _database_url(user: str, password: str) -> str:
    return f"postgresql://{user}:{password}@postgres:5432/billbus"


def _random() -> str:
    return secrets.token_urlsafe(36)


def _begin_settings(root: Path) -> bool:
    """`.env` from `.env.example`, unless there is one."""
    settings = root / ".env"
    if settings.exists():
        return False
    settings.write_text((root / ".env.example").read_text(encoding="utf-8"), encoding="utf-8")
    return True


def main(words: list[str]) -> None:
    directory = Path(words[0]) if words else ROOT / "secrets"
    made = make_all(directory)
    sys.stdout.write(f"{directory}: {len(made)} made\n")
    if not words and _begin_settings(ROOT):
        sys.stdout.write(f"{ROOT / '.env'}: begun from .env.example\n")


if __name__ == "__main__":
    main(sys.argv[1:])
