"""Where a payer may be sent back to: only the origins that the studio lists, compared exactly.

Pure. A browser reads more into a URL than it says (`//evil`, `\\evil`, `user@evil`), so what is not plainly
an absolute http(s) URL is refused before it is compared.
"""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

URL_LENGTH_LIMIT: Final = 1_024

# Visible ASCII without backslash, quotes and angle brackets: what needs no second reading by any browser.
_PLAIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#][!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]*)?")


def origin_of(url: str) -> str | None:
    """`scheme://host[:port]` of a plain absolute http(s) URL; None for anything else."""
    if len(url) > URL_LENGTH_LIMIT or not _PLAIN.fullmatch(url):
        return None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_allowed_return_url(url: str, allowed_origins: Collection[str]) -> bool:
    """Exactly one of the listed origins, nothing like it."""
    origin = origin_of(url)
    return origin is not None and origin in allowed_origins
