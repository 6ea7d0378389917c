"""The address of a provider, from the environment and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from send_queue.model import ConfigurationError
from send_queue.providers.http import LOOPBACK


def base_url(
    env: Mapping[str, str], variable: str, default: str | None = None, *, path: str = "", like: str = ""
) -> str:
    """Return `https://host[:port][/path]`, without a final slash, from the variable, else from `default`.

    A bare host and port means https; plain http shows secrets on the way, so only this machine may use it. `path` ends
    every address, written or not; `like` is an example for the error. Raises `ConfigurationError`, which names the
    variable.

    >>> base_url({"UNIPILE_DSN": "api8.unipile.com:13851"}, "UNIPILE_DSN", path="/api/v1")
    'https://api8.unipile.com:13851/api/v1'
    """
    example = f", such as {like}" if like else ""
    given = env.get(variable, "").strip() or default
    if not given:
        raise ConfigurationError(f"{variable} is not set: set it to the provider's address{example}.")
    return checked_url(given, variable, path=path, example=example)


def checked_url(given: str, what: str, *, path: str = "", example: str = "") -> str:
    """Return an address in the form of `base_url`. Raises `ConfigurationError`, which names it as `what`."""
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
