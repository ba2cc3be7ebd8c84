"""Settings, one class per kind of process, read from the environment or from files in SECRETS_DIR.

Names are the field names in capitals: `database_url` is DATABASE_URL. A missing or malformed value ends the
process with one sentence, never with a traceback and never with the value of a secret.
"""

import os
import sys
from pathlib import Path
from typing import TypeVar

from pydantic import Field, HttpUrl, SecretStr, ValidationError
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
    callback_base_url: HttpUrl | None = None
    client_api_host: str = "127.0.0.1"
    client_api_port: int = Field(default=8000, ge=1, le=65535)
    demo_sign_in: bool = False


class ConsumerSettings(ProcessSettings):
    """A billing consumer. It owns the partitions p with p mod `consumer_count` = `consumer_index`."""

    consumer_index: int = Field(default=0, ge=0)
    consumer_count: int = Field(default=1, ge=1)
    group_limit: int = Field(default=100, ge=1, le=1000)


class TaskSettings(ProcessSettings):
    """The relay (sends tasks), the worker (runs them) and beat. Exactly one broker: a URL or a folder."""

    celery_broker_url: SecretStr | None = None
    celery_folder: Path | None = None
    sealing_key: SecretStr | None = None


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
