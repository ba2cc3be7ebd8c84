"""Settings, one class per kind of process, read from the environment or from files in SECRETS_DIR.

Names are the field names in capitals: `database_url` is DATABASE_URL. A missing or malformed value ends the
process with one sentence, never with a traceback and never with the value of a secret.
"""

import os
import sys
from base64 import urlsafe_b64decode
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

SECRETS_VARIABLE = "SECRETS_DIR"
SEALING_KEY_BYTES = 32
_WEB = ("https", "http")


class Settings(BaseSettings):
    """Where all of them come from."""

    model_config = SettingsConfigDict(
        extra="ignore", secrets_dir=os.environ.get(SECRETS_VARIABLE), hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _take_empty_for_unset(cls, given: dict[str, object]) -> dict[str, object]:
        """A compose file hands on as empty what nobody has set; only where a text is wanted is it one."""
        return {
            name: value
            for name, value in given.items()
            if value != "" or (name in cls.model_fields and isinstance(cls.model_fields[name].default, str))
        }


Url = TypeVar("Url", SecretStr, str)


def _url(*schemes: str) -> AfterValidator:
    """A check whose complaint holds nothing of the URL: what cannot be read may be of the password."""

    def check(value: Url) -> Url:
        try:
            parts = urlsplit(value if isinstance(value, str) else value.get_secret_value())
            is_whole = (parts.port is None or parts.port > 0) and not _is_cut_short(parts)
        except ValueError:
            is_whole = False
        if not is_whole:
            raise ValueError("is no URL; what is special in a password must be percent-encoded")
        if parts.scheme not in schemes or (parts.scheme in _WEB and not parts.netloc):
            raise ValueError(f"must begin with {schemes[0]}://")
        return value

    return AfterValidator(check)


def _is_cut_short(parts: SplitResult) -> bool:
    """Whether a password with `/`, `?`, `#` or `@` in it has ended early: the rest of it would be taken for a
    host or a path, and be shown as such."""
    return parts.netloc.count("@") > 1 or "@" in parts.path + parts.query or bool(parts.fragment)


def _check_sealing_key(value: SecretStr) -> SecretStr:
    try:
        key = urlsafe_b64decode(value.get_secret_value())
    except ValueError:
        key = b""
    if len(key) != SEALING_KEY_BYTES:
        raise ValueError(f"must be {SEALING_KEY_BYTES} random bytes in url-safe base64")
    return value


def _check_networks(value: str) -> str:
    for part in filter(None, (part.strip() for part in value.split(","))):
        ip_network(part)  # its complaint names the part
    return value


PostgresUrl = Annotated[SecretStr, _url("postgresql", "postgres", "postgresql+psycopg")]
AmqpUrl = Annotated[SecretStr, _url("amqp", "amqps")]
HttpUrl = Annotated[SecretStr, _url(*_WEB)]
WebUrl = Annotated[str, _url(*_WEB)]
SealingKey = Annotated[SecretStr, AfterValidator(_check_sealing_key)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)]


class ProcessSettings(Settings):
    """What every process needs. Without AMQP_URL the embedded bus on Postgres is used."""

    database_url: PostgresUrl
    amqp_url: AmqpUrl | None = None
    log_level: LogLevel = "INFO"
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    # Where errors are reported beside the log: the DSN of Sentry or the like, or the token of Hawk.
    error_reporter: Literal["none", "sentry", "hawk"] = "none"
    error_reporter_token: SecretStr | None = None
    # Of Hawk installed elsewhere; Sentry's address is in its DSN.
    error_reporter_url: WebUrl | None = None


class ServingSettings(ProcessSettings):
    """Who answers HTTP. `trusted_proxies` are addresses and networks, with commas between: only they may say
    from which address and by which scheme somebody came."""

    trusted_proxies: Annotated[str, AfterValidator(_check_networks)] = ""


class LinkSettings(Settings):
    """What signs the links in messages (`link_key`), and where they lead: `{host}` is the studio's."""

    link_key: SecretStr | None = Field(default=None, min_length=32)
    link_base_url: WebUrl = "https://{host}"


class ApiSettings(ServingSettings, LinkSettings):
    """The client API. `token_key` signs access tokens; `sealing_key` opens providers' secrets."""

    token_key: SecretStr = Field(min_length=32)
    sealing_key: SealingKey
    client_api_host: str = "127.0.0.1"
    client_api_port: int = Field(default=8000, ge=1, le=65535)
    demo_sign_in: bool = False


class AdminSettings(ServingSettings):
    """The managers' admin. `form_key` signs forms; `secure_cookies` only a run without TLS turns off."""

    form_key: SecretStr = Field(min_length=32)
    sealing_key: SealingKey
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
    """How messages leave. Without `smtp_host` they stay planned until there is one, or they are too old."""

    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    mail_from: str = "billing@localhost"
    # Where answers to letters that ask for one go; {host} is the studio's. None: to mail_from.
    mail_reply_to: str | None = None
    sms_sender: Literal["off", "console"] = "off"


class TaskSettings(ProcessSettings, MailSettings):
    """The relay (sends tasks), the worker (runs them) and beat. Exactly one broker: a URL or a folder.

    The worker refuses to start when a lease would end before the longest call that it protects.
    """

    celery_broker_url: AmqpUrl | None = None
    celery_folder: Path | None = None
    sealing_key: SealingKey | None = None

    # The relay: a claimed row that was not marked is sent again; unapplied commands are looked for.
    outbox_claim_seconds: Seconds = 30.0
    republish_every_seconds: Seconds = 5.0

    # A call: how long an answer may take, and when its worker is taken for dead.
    provider_answer_timeout_seconds: Seconds = 30.0
    lease_seconds: Seconds = 108.0

    # Sweeps: how often, and when something is due. A task that has recorded nothing is lost; a page about
    # which nothing was heard is silent; a look-up that was handed out is not handed out again meanwhile.
    sweep_every_seconds: Seconds = 2.0
    notify_every_seconds: Seconds = 5.0
    lost_after_seconds: Seconds = 15.0
    silent_after_seconds: Seconds = 60.0
    look_up_claim_seconds: Seconds = 60.0
    look_up_delays_seconds: Annotated[tuple[Seconds, ...], Field(min_length=1)] = LOOK_UP_DELAYS_SECONDS


class SearchSettings(Settings):
    """Where the search index is. User and password stand in the URL, unless there is a key instead."""

    elasticsearch_url: HttpUrl | None = None
    elasticsearch_api_key: SecretStr | None = None
    elasticsearch_ca_file: Path | None = None


class EventSettings(ProcessSettings, SearchSettings):
    """The events process: the log, planned messages and, with `elasticsearch_url`, the search index."""


class SearchSetupSettings(SearchSettings):
    """The set-up of the search index. `kibana_password` is given to Kibana's own user, kibana_system; Kibana
    is asked by the user of `elasticsearch_url` unless its own URL names one."""

    kibana_url: HttpUrl | None = None
    kibana_password: SecretStr | None = Field(default=None, min_length=8)


class BackupSettings(Settings):
    """Backups: as whom they are taken (the owner of the tables), where they go, and whose key they are
    encrypted with (an age recipient). How many of each age are kept.

    What a new machine needs beside the database goes with it: `sealing_key`, without which providers' secrets
    stay shut, the files of `backup_secrets_directory`, and `backup_settings_file` (the `.env`)."""

    backup_database_url: PostgresUrl | None = None
    backup_directory: Path | None = None
    backup_recipient: str | None = None
    backup_secrets_directory: Path | None = None
    backup_settings_file: Path | None = None
    sealing_key: SecretStr | None = None
    # Written into the manifest: which version restores it without migrating.
    billbus_version: str = "source"
    backup_keep_daily: int = Field(default=7, ge=1)
    backup_keep_weekly: int = Field(default=4, ge=0)
    backup_keep_monthly: int = Field(default=12, ge=0)


Days = Annotated[int, Field(ge=0, le=90)]


class CronSettings(ProcessSettings, BackupSettings):
    """When the jobs run: five crontab fields each, on the clock of `cron_timezone`; empty = only by hand."""

    cron_timezone: str = "Europe/Moscow"
    cron_renewal: str = "*/10 * * * *"
    cron_reminder: str = "*/10 * * * *"
    cron_backup: str = ""
    # How long before the end of a period its renewal is invoiced, and when customers are reminded.
    renewal_days_before: int = Field(default=7, ge=0, le=90)
    reminder_days_before: Annotated[tuple[Days, ...], Field(min_length=1, max_length=5)] = (7, 1)
    # HOST:PORT of the gateway, whose certificate is looked at before it ends.
    certificate_address: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]+:[0-9]{1,5}$")


SomeSettings = TypeVar("SomeSettings", bound=Settings)


def load_settings(kind: type[SomeSettings]) -> SomeSettings:
    """The settings of this process. Ends it with a sentence per wrong or missing variable."""
    try:
        return kind()
    except (ValidationError, SettingsError, OSError) as error:
        for sentence in problems_of(error):
            sys.stderr.write(f"billbus: {sentence}\n")
        raise SystemExit(2) from None


def problems_of(error: ValidationError | SettingsError | OSError) -> list[str]:
    """What is wrong with the settings, a sentence each, without a value."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False)
        return [f"{_name_of(one['loc'])}: {one['msg'].removeprefix('Value error, ')}" for one in found]
    return [str(error)]


def _name_of(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location).upper()
