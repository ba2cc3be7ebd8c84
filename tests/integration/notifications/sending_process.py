"""A process of its own that sends what is due, for tests that kill it."""

import os
import sys
from datetime import UTC, datetime

from pydantic import SecretStr

from notifications.sending import Office, send_due
from runtime.settings import MailSettings
from storage.database import create_role_engine


def main(url: str, smtp_port: str, link_key: str, mail_from: str) -> None:
    settings = MailSettings(
        link_key=SecretStr(link_key),
        smtp_host="127.0.0.1",
        smtp_port=int(smtp_port),
        smtp_security="none",
        mail_from=mail_from,
    )
    send_due(
        Office(create_role_engine(url, "billbus_worker", "test"), lambda: datetime.now(UTC), settings, None)
    )


if __name__ == "__main__":
    assert os.environ["CRASH_AT"]
    main(*sys.argv[1:])
