"""Where is a provider? An address from the environment, checked once for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from send_queue.model import ConfigurationError
from send_queue.providers.http import LOOPBACK


def base_url(
    env: Mapping[str, str], variable: str, default: str | None = None, *, path: str = "", like: str = ""
) -> str:
    """`https://host[:port][/path]`, without a slash at its end, from the environment's variable, else from `default`.

    A host and port alone is taken as https; plain http is for a sandbox on this machine only, for it shows secrets to
    everyone on the way. `path` is what every address ends with, written there or not; `like` is an example to show.
    Raises `ConfigurationError`, which names the variable.

    >>> base_url({"UNIPILE_DSN": "api8.unipile.com:13851"}, "UNIPILE_DSN", path="/api/v1")
    'https://api8.unipile.com:13851/api/v1'
    """
    example = f", such as {like}" if like else ""
    given = env.get(variable, "").strip() or default
    if not given:
        raise ConfigurationError(f"{variable} is not set: set it to the provider's address{example}.")
    return checked_url(given, variable, path=path, example=example)


def checked_url(given: str, what: str, *, path: str = "", example: str = "") -> str:
    """The address in the form of `base_url`. Raises `ConfigurationError`, which says what `what` must be."""
    try:
        url = urlsplit(given if "://" in given else f"https://{given}")
        host, port = url.hostname or "", url.port
    except ValueError:
        host, port = "", None
        url = urlsplit("")
    if (
        not re.fullmatch(r"[a-z0-9.-]+|::1", host)
        or url.scheme not in ("http", "https")
        or "@" in url.netloc
        or url.query
        or url.fragment
        or (path and url.path.rstrip("/") not in ("", path))
    ):
        raise ConfigurationError(
            f"{what} is not an address: set it to a host, or a URL that begins with https{example}."
        )
    if url.scheme == "http" and host not in LOOPBACK:
        raise ConfigurationError(
            f"{what} must begin with https://, or with nothing: plain http, which shows secrets to everyone on the way,"
            " is for a sandbox on this machine."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{shown}{f':{port}' if port else ''}{path or url.path.rstrip('/')}"
