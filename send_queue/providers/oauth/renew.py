"""Renew an account's tokens: the rules of each provider, and its request.

    X          POST /2/oauth2/token               a refresh token serves once; the answer has the next
    LinkedIn   POST /oauth/v2/accessToken         the refresh token stays, and ends a year after the grant
    Bluesky    POST /xrpc/…server.refreshSession  like X, but a used one stays valid for two hours
    Facebook   GET /oauth/access_token            no refresh token: a valid access token is exchanged for another
    Mastodon   -                                  tokens do not end

errors.py has the meaning of answers. This module retries nothing: the caller knows the stored tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import Any, Literal

from send_queue.model import ConfigurationError
from send_queue.providers.address import base_url, checked_url
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Answer, Limits, NoAnswer
from send_queue.providers.oauth.errors import ATPROTO, GRAPH, OAUTH, Reading, Renewal, judge

LIMITS = Limits(connect=10, read=30, total=45)
GRAPH_VERSION = "v23.0"
"""The version of Facebook's API; FACEBOOK_API_VERSION overrides it."""


@dataclass(frozen=True, slots=True)
class Granted:
    """An account's opened tokens at the moment `at`; from `leave_by` on (`model.clock`) another run may use them."""

    provider: str
    access_token: str
    refresh_token: str | None
    at: datetime
    settings: Mapping[str, Any] = field(default_factory=dict)
    leave_by: float = inf


@dataclass(frozen=True, slots=True)
class Rule:
    """A provider's rules for tokens.

    shown         the token that it exchanges
    once_used     a used refresh token `stays` valid; is `gone`, so that a lost answer loses the tokens; or has a
                  `grace`, so that a lost answer can be requested again
    life          an access token's lifetime if the answer gives none; None: no end
    refresh_life  a refresh token's lifetime if the answer gives none; None: unknown
    renew         the function that requests new ones; None: it grants none
    client        the prefix of the variables with our client id and secret
    """

    shown: Literal["refresh_token", "access_token", "nothing"]
    once_used: Literal["stays", "gone", "grace"]
    life: timedelta | None
    refresh_life: timedelta | None = None
    renew: Callable[[Renewers, Granted], Renewal] | None = None
    client: str | None = None

    def can_renew(self, refresh_token: str | None) -> bool:
        """Whether the provider renews with this refresh token, or without one if None."""
        return self.shown == "access_token" or (self.shown == "refresh_token" and refresh_token is not None)


class Renewers:
    """Request new tokens; accounts of one provider share connections."""

    def __init__(self, env: Mapping[str, str], limits: Limits = LIMITS) -> None:
        self.env = env
        self._limits = limits
        self._http = Http(env=env)

    def renew(self, granted: Granted) -> Renewal:
        """Request new tokens once, without an open transaction. Every failure is a value.

        Raises `ConfigurationError`, before any request, for a missing variable.
        """
        rule = RULES.get(granted.provider)
        if rule is None or rule.renew is None:
            raise ConfigurationError(f"The provider {granted.provider} renews no tokens: see `send-queue tokens list`.")
        return rule.renew(self, granted)

    def ask(self, method: str, url: str, granted: Granted, reading: Reading, *secrets: str, **content: Any) -> Renewal:
        """Make the request and judge the answer. No detail has a token or secret."""
        hide = [*secrets, granted.access_token, *filter(None, [granted.refresh_token])]
        answer: Answer | NoAnswer = self._http.request(
            method, url, limits=self._limits, leave_by=granted.leave_by, hide=hide, **content
        )
        return judge(answer, reading, hide, granted.at)

    def close(self) -> None:
        self._http.close()


# --- one function for each provider -----------------------------------------------------------------------


def _x(renewers: Renewers, granted: Granted) -> Renewal:
    """Renew at X: a client with a secret shows it by basic auth; one without only names itself."""
    client_id, secret = _variable(renewers.env, "X_CLIENT_ID"), renewers.env.get("X_CLIENT_SECRET", "").strip()
    form = {"grant_type": "refresh_token", "refresh_token": granted.refresh_token, "client_id": client_id}
    headers = {"Authorization": f"Basic {_basic(client_id, secret)}"} if secret else {}
    url = f"{place('x', renewers.env, granted.settings)}/2/oauth2/token"
    reading = Reading(OAUTH, "Check X_CLIENT_ID and X_CLIENT_SECRET.")
    return renewers.ask("POST", url, granted, reading, secret, data=form, headers=headers)


def _linkedin(renewers: Renewers, granted: Granted) -> Renewal:
    secret = _variable(renewers.env, "LINKEDIN_CLIENT_SECRET")
    form = {
        "grant_type": "refresh_token",
        "refresh_token": granted.refresh_token,
        "client_id": _variable(renewers.env, "LINKEDIN_CLIENT_ID"),
        "client_secret": secret,
    }
    url = f"{place('linkedin', renewers.env, granted.settings)}/oauth/v2/accessToken"
    reading = Reading(OAUTH, "Check LINKEDIN_CLIENT_ID and LINKEDIN_CLIENT_SECRET.")
    return renewers.ask("POST", url, granted, reading, secret, data=form)


def _bluesky(renewers: Renewers, granted: Granted) -> Renewal:
    url = f"{place('bluesky', renewers.env, granted.settings)}/xrpc/com.atproto.server.refreshSession"
    reading = Reading(ATPROTO, access_token="accessJwt", refresh_token="refreshJwt")
    return renewers.ask("POST", url, granted, reading, headers={"Authorization": f"Bearer {granted.refresh_token}"})


def _facebook(renewers: Renewers, granted: Granted) -> Renewal:
    secret = _variable(renewers.env, "FACEBOOK_CLIENT_SECRET")
    asked = {
        "grant_type": "fb_exchange_token",
        "client_id": _variable(renewers.env, "FACEBOOK_CLIENT_ID"),
        "client_secret": secret,
        "fb_exchange_token": granted.access_token,
    }
    base = place("facebook", renewers.env, granted.settings)
    version = renewers.env.get("FACEBOOK_API_VERSION", "").strip() or GRAPH_VERSION
    reading = Reading(GRAPH, "Check FACEBOOK_CLIENT_ID and FACEBOOK_CLIENT_SECRET.")
    return renewers.ask("GET", f"{base}/{version}/oauth/access_token", granted, reading, secret, params=asked)


RULES: Mapping[str, Rule] = {
    "x": Rule("refresh_token", "gone", timedelta(hours=2), renew=_x, client="X"),
    "linkedin": Rule("refresh_token", "stays", timedelta(days=60), timedelta(days=365), _linkedin, "LINKEDIN"),
    "bluesky": Rule("refresh_token", "grace", timedelta(hours=2), timedelta(days=90), _bluesky),
    "facebook": Rule("access_token", "stays", timedelta(days=60), renew=_facebook, client="FACEBOOK"),
    "mastodon": Rule("nothing", "stays", None),
}
"""Rules by provider. Bluesky's are for sessions of app passwords, not OAuth's."""


# --- small things -----------------------------------------------------------------------------------------


def missing_variables(provider: str, env: Mapping[str, str]) -> list[str]:
    """List the missing variables for a provider's renewals."""
    rule = RULES.get(provider)
    if rule is None or rule.client is None:
        return []
    # At X a client without a secret may renew.
    needed = ["CLIENT_ID"] if rule.client == "X" else ["CLIENT_ID", "CLIENT_SECRET"]
    return [name for name in (f"{rule.client}_{what}" for what in needed) if not env.get(name, "").strip()]


def _variable(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"{name} is not set: set it to your app's value from the provider.")
    return value


PLACES: Mapping[str, tuple[str, str]] = {
    "x": ("X_BASE_URL", "https://api.x.com"),
    "linkedin": ("LINKEDIN_OAUTH_URL", "https://www.linkedin.com"),
    "bluesky": ("BLUESKY_BASE_URL", "https://bsky.social"),
    "facebook": ("FACEBOOK_BASE_URL", "https://graph.facebook.com"),
}
"""The variable with the address of a provider's token endpoint, and its default."""


def place(provider: str, env: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """Return the address from the account's settings, else the environment, else the default.

    LinkedIn's token endpoint has another host than its API, so it ignores an account's base_url.
    """
    own = settings.get("base_url")
    if own and provider != "linkedin":
        return checked_url(str(own), "The account's setting base_url")
    return base_url(env, *PLACES[provider])


def _basic(user: str, password: str) -> str:
    from base64 import b64encode
    from urllib.parse import quote

    # Form-encode each part first: RFC 6749, section 2.3.1.
    return b64encode(f"{quote(user, safe='')}:{quote(password, safe='')}".encode()).decode()
