"""`python -m runtime.health URL`: exit code 0 when it answers with success, else 1 and a sentence.

What the containers' health checks call, for an API's /healthz/ready as for a metrics port. Nothing here knows
what is asked; a proxy of the environment is never asked instead.
"""

import sys
import urllib.error
import urllib.request
from http.client import HTTPException

ANSWER_SECONDS_MAX = 3.0

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def problem_of(url: str, seconds_max: float = ANSWER_SECONDS_MAX) -> str | None:
    """Why the address is not healthy; None when it answers with a status of success."""
    try:
        with _DIRECT.open(url, timeout=seconds_max):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return f"{url} answers {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return f"{url} does not answer: {error}"


def main(words: list[str]) -> int:
    if len(words) != 1:
        sys.stderr.write("usage: python -m runtime.health URL\n")
        return 2
    problem = problem_of(words[0])
    if problem is not None:
        sys.stderr.write(f"billbus: {problem}\n")
    return 0 if problem is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
