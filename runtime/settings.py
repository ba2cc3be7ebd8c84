"""Settings, one class per kind of process, read from the environment or from files in SECRETS_DIR.

Names are the field names in capitals: `database_url` is DATABASE_URL. A missing or malformed value ends the
process with one sentence, never with a traceback and never with the value of a secret.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where all of them come from."""

    model_config = SettingsConfigDict(
        extra="ignore", secrets_dir=os.environ.get("SECRETS_DIR"), hide_input_in_errors=True
    )


class ProcessSettings(Settings):
    """What every process needs. Without AMQP_URL the embedded bus on Postgres is used."""

    database_url: SecretStr
    amqp_url: SecretStr | None = None
    log_level: str = "INFO"
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    # Where errors are reported beside the log: the DSN of Sentry or the like, or the token of Hawk.
    error_reporter: Literal["none", "sentry", "hawk"] = "none"
    error_reporter_token: SecretStr | None = None
    # Of Hawk installed elsewhere; Sentry's address is in its DSN.
    error_reporter_url: str | None = None


class ServingSettings(ProcessSettings):
    """Who answers HTTP. `trusted_proxies` are addresses and networks, with commas between: only they may say
    from which address and by which scheme somebody came."""

    trusted_proxies: str = ""


class LinkSettings(Settings):
    """What signs the links in messages (`link_key`), and where they lead: `{host}` is the studio's."""

    link_key: SecretStr | None = Field(default=None, min_length=32)
    link_base_url: str = "https://{host}"


class ApiSettings(ServingSettings, LinkSettings):
    """The client API. `token_key` signs access tokens; `sealing_key` opens providers' secrets."""

    token_key: SecretStr = Field(min_length=32)
    sealing_key: SecretStr
    client_api_host: str = "127.0.0.1"
    client_api_port: int = Field(default=8000, ge=1, le=65535)
    demo_sign_in: bool = False


class AdminSettings(ServingSettings):
    """The managers' admin. `form_key` signs forms; `secure_cookies` only a run without TLS turns off."""

    form_key: SecretStr = Field(min_length=32)
    sealing_key: SecretStr
    admin_api_host: str = "127.0.0.1"
    admin_api_port: int = Field(default=8001, ge=1, le=65535)
    secure_cookies: bool = True


class ConsumerSettings(ProcessSettings):
    """A billing consumer. It owns the partitions p with p mod `consumer_count` = `consumer_index`."""

    consumer_index: int = Field(default=0, ge=0)
    consumer_count: int = Field(default=1, ge=1)
    group_limit: int = Field(default=100, ge=1, le=1000)


# After the n-th call about one subject; the last is repeated: soon at first, hourly in the end, and for ever.
LOOK_UP_DELAYS_SECONDS = (10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)

Seconds = Annotated[float, Field(gt=0)]


class MailSettings(LinkSettings):
    """How messages leave. Without `smtp_host` they stay planned until there is one, or are too old to be sent."""

    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    mail_from: str = "billing@localhost"
    sms_sender: Literal["off", "console"] = "off"


class TaskSettings(ProcessSettings, MailSettings):
    """The relay (sends tasks), the worker (runs them) and beat. Exactly one broker: a URL or a folder.

    The worker refuses to start when a lease would end before the longest call that it protects.
    """

    celery_broker_url: SecretStr | None = None
    celery_folder: Path | None = None
    sealing_key: SecretStr | None = None

    # The relay: a claimed row that was not marked is sent again; unapplied commands are looked for.
    outbox_claim_seconds: Seconds = 30.0
    republish_every_seconds: Seconds = 5.0

    # A call: how long an answer may take, and when its worker is taken for dead.
    provider_answer_timeout_seconds: Seconds = 30.0
    lease_seconds: Seconds = 108.0

    # Sweeps: how often, and when something is due. A task that has recorded nothing is lost; a page about
    # which nothing was heard is silent; a look-up that was handed out is not handed out again meanwhile.
    sweep_every_seconds: Seconds = 2.0
    lost_after_seconds: Seconds = 15.0
    silent_after_seconds: Seconds = 60.0
    look_up_claim_seconds: Seconds = 60.0
    look_up_delays_seconds: Annotated[tuple[Seconds, ...], Field(min_length=1)] = LOOK_UP_DELAYS_SECONDS


class EventSettings(ProcessSettings):
    """The events process: the log, planned messages and, with `elasticsearch_url`, the search index."""

    elasticsearch_url: SecretStr | None = None
    elasticsearch_api_key: SecretStr | None = None
    elasticsearch_ca_file: Path | None = None


class BackupSettings(Settings):
    """Backups: as whom they are taken (the owner of the tables), where they go, and whose key they are
    encrypted with (an age recipient). How many of each age are kept."""

    backup_database_url: SecretStr | None = None
    backup_directory: Path | None = None
    backup_recipient: str | None = None
    backup_keep_daily: int = Field(default=7, ge=1)
    backup_keep_weekly: int = Field(default=4, ge=0)
    backup_keep_monthly: int = Field(default=12, ge=0)


class CronSettings(ProcessSettings, BackupSettings):
    """When the jobs run: five crontab fields each, on the clock of `cron_timezone`; empty = only by hand."""

    cron_timezone: str = "Europe/Moscow"
    cron_renewal: str = "*/10 * * * *"
    cron_reminder: str = "*/10 * * * *"
    cron_backup: str = ""
    # How long before the end of a period its renewal is invoiced, and when customers are reminded.
    renewal_days_before: int = Field(default=7, ge=0, le=90)
    reminder_days_before: Annotated[tuple[int, ...], Field(min_length=1, max_length=5)] = (7, 1)


SomeSettings = TypeVar("SomeSettings", bound=Settings)


def load_settings(kind: type[SomeSettings]) -> SomeSettings:
    """The settings of this process. Ends it with a sentence per wrong or missing variable."""
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"billbus: {name}: {problem['msg']}\n")
        raise SystemExit(2) from None
