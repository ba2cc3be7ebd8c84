"""Settings, one class per kind of process, read from the environment or from files in SECRETS_DIR.

Names are the field names in capitals: `database_url` is DATABASE_URL. A missing or malformed value ends the
process with one sentence, never with a traceback and never with the value of a secret.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProcessSettings(BaseSettings):
    """What every process needs. Without AMQP_URL the embedded bus on Postgres is used."""

    model_config = SettingsConfigDict(
        extra="ignore", secrets_dir=os.environ.get("SECRETS_DIR"), hide_input_in_errors=True
    )

    database_url: SecretStr
    amqp_url: SecretStr | None = None
    log_level: str = "INFO"
    metrics_port: int | None = Field(default=None, ge=1, le=65535)


class ApiSettings(ProcessSettings):
    """The client API. `token_key` signs access tokens; `sealing_key` opens providers' secrets."""

    token_key: SecretStr = Field(min_length=32)
    sealing_key: SecretStr
    client_api_host: str = "127.0.0.1"
    client_api_port: int = Field(default=8000, ge=1, le=65535)
    demo_sign_in: bool = False


class AdminSettings(ProcessSettings):
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


class TaskSettings(ProcessSettings):
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


SomeSettings = TypeVar("SomeSettings", bound=ProcessSettings)


def load_settings(kind: type[SomeSettings]) -> SomeSettings:
    """The settings of this process. Ends it with a sentence per wrong or missing variable."""
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"billbus: {name}: {problem['msg']}\n")
        raise SystemExit(2) from None
