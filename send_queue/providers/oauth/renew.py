"""How does each provider renew an account's tokens? Its rules as data, and the one request that it takes.

    X          POST /2/oauth2/token               a refresh token can be used once; the answer has the next
    LinkedIn   POST /oauth/v2/accessToken         the refresh token stays the same, and ends a year after the grant
    Bluesky    POST /xrpc/…server.refreshSession  as X, but a used one is good for two hours more
    Facebook   GET /oauth/access_token            has none: a token that has not ended is exchanged for another
    Mastodon   -                                  its tokens do not end

What the answers mean is in oauth_answers.py. Nothing is tried twice here: that is for whoever knows what is stored.
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
"""Of Facebook's API, where FACEBOOK_API_VERSION does not name another."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The tokens of an account, opened, at the moment `at`; others may use them from `leave_by` on (`model.clock`)."""

    provider: str
    access_token: str
    refresh_token: str | None
    at: datetime
    settings: Mapping[str, Any] = field(default_factory=dict)
    leave_by: float = inf


@dataclass(frozen=True, slots=True)
class Rule:
    """What a provider does with tokens.

    shown         what is shown to it for new ones
    once_used     what becomes of a refresh token: it `stays` the same; is `gone`, and a lost answer is a loss; or is
                  good for a `grace` more, so that a lost answer is asked for again
    life          of an access token whose answer does not say; null: it does not end
    refresh_life  of a refresh token whose answer does not say; null: it is not known
    renew         asks for new ones; null: it gives none
    client        the beginning of the variables with our client id and secret
    """

    shown: Literal["refresh_token", "access_token", "nothing"]
    once_used: Literal["stays", "gone", "grace"]
    life: timedelta | None
    refresh_life: timedelta | None = None
    renew: Callable[[Renewers, Granted], Renewal] | None = None
    client: str | None = None

    def can_renew(self, refresh_token: str | None) -> bool:
        """Whether it gives new tokens to whoever has this refresh token, or none."""
        return self.shown == "access_token" or (self.shown == "refresh_token" and refresh_token is not None)


class Renewers:
    """Asks providers for new tokens; connections are kept between two accounts of one."""

    def __init__(self, env: Mapping[str, str], limits: Limits = LIMITS) -> None:
        self.env = env
        self._limits = limits
        self._http = Http(env=env)

    def renew(self, granted: Granted) -> Renewal:
        """Ask once. Called with no transaction open; whatever the world does is a value.

        Raises `ConfigurationError`, before anything has left, where the environment lacks something.
        """
        rule = RULES.get(granted.provider)
        if rule is None or rule.renew is None:
            raise ConfigurationError(
                f"The provider {granted.provider} gives no new tokens: see `send-queue tokens list`."
            )
        return rule.renew(self, granted)

    def ask(self, method: str, url: str, granted: Granted, reading: Reading, *secrets: str, **content: Any) -> Renewal:
        """Make the request, and judge what is answered. No token or secret is in the verdict's words."""
        hide = [*secrets, granted.access_token, *filter(None, [granted.refresh_token])]
        answer: Answer | NoAnswer = self._http.request(
            method, url, limits=self._limits, leave_by=granted.leave_by, hide=hide, **content
        )
        return judge(answer, reading, hide, granted.at)

    def close(self) -> None:
        self._http.close()


# --- one function for each provider -----------------------------------------------------------------------


def _x(this: Renewers, granted: Granted) -> Renewal:
    """A confidential client, one that has a secret, shows it by basic auth; a public one only names itself."""
    client_id, secret = _variable(this.env, "X_CLIENT_ID"), this.env.get("X_CLIENT_SECRET", "").strip()
    form = {"grant_type": "refresh_token", "refresh_token": granted.refresh_token, "client_id": client_id}
    headers = {"Authorization": f"Basic {_basic(client_id, secret)}"} if secret else {}
    url = f"{place('x', this.env, granted.settings)}/2/oauth2/token"
    reading = Reading(OAUTH, "Check X_CLIENT_ID and X_CLIENT_SECRET.")
    return this.ask("POST", url, granted, reading, secret, data=form, headers=headers)


def _linkedin(this: Renewers, granted: Granted) -> Renewal:
    secret = _variable(this.env, "LINKEDIN_CLIENT_SECRET")
    form = {
        "grant_type": "refresh_token",
        "refresh_token": granted.refresh_token,
        "client_id": _variable(this.env, "LINKEDIN_CLIENT_ID"),
        "client_secret": secret,
    }
    url = f"{place('linkedin', this.env, granted.settings)}/oauth/v2/accessToken"
    reading = Reading(OAUTH, "Check LINKEDIN_CLIENT_ID and LINKEDIN_CLIENT_SECRET.")
    return this.ask("POST", url, granted, reading, secret, data=form)


def _bluesky(this: Renewers, granted: Granted) -> Renewal:
    url = f"{place('bluesky', this.env, granted.settings)}/xrpc/com.atproto.server.refreshSession"
    reading = Reading(ATPROTO, access_token="accessJwt", refresh_token="refreshJwt")
    return this.ask("POST", url, granted, reading, headers={"Authorization": f"Bearer {granted.refresh_token}"})


def _facebook(this: Renewers, granted: Granted) -> Renewal:
    secret = _variable(this.env, "FACEBOOK_CLIENT_SECRET")
    asked = {
        "grant_type": "fb_exchange_token",
        "client_id": _variable(this.env, "FACEBOOK_CLIENT_ID"),
        "client_secret": secret,
        "fb_exchange_token": granted.access_token,
    }
    base = place("facebook", this.env, granted.settings)
    version = this.env.get("FACEBOOK_API_VERSION", "").strip() or GRAPH_VERSION
    reading = Reading(GRAPH, "Check FACEBOOK_CLIENT_ID and FACEBOOK_CLIENT_SECRET.")
    return this.ask("GET", f"{base}/{version}/oauth/access_token", granted, reading, secret, params=asked)


RULES: Mapping[str, Rule] = {
    "x": Rule("refresh_token", "gone", timedelta(hours=2), renew=_x, client="X"),
    "linkedin": Rule("refresh_token", "stays", timedelta(days=60), timedelta(days=365), _linkedin, "LINKEDIN"),
    "bluesky": Rule("refresh_token", "grace", timedelta(hours=2), timedelta(days=90), _bluesky),
    "facebook": Rule("access_token", "stays", timedelta(days=60), renew=_facebook, client="FACEBOOK"),
    "mastodon": Rule("nothing", "stays", None),
}
"""By the name of the provider. Of an app password's session at Bluesky; one of OAuth's there is another thing."""


# --- small things -----------------------------------------------------------------------------------------


def lacking(provider: str, env: Mapping[str, str]) -> list[str]:
    """The variables that a provider's renewals need and this environment does not have."""
    rule = RULES.get(provider)
    if rule is None or rule.client is None:
        return []
    # X lets a client without a secret renew what was granted to it.
    needed = ["CLIENT_ID"] if rule.client == "X" else ["CLIENT_ID", "CLIENT_SECRET"]
    return [name for name in (f"{rule.client}_{what}" for what in needed) if not env.get(name, "").strip()]


def _variable(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"{name} is not set: set it to what the provider gave your app, to renew its tokens.")
    return value


PLACES: Mapping[str, tuple[str, str]] = {
    "x": ("X_BASE_URL", "https://api.x.com"),
    "linkedin": ("LINKEDIN_OAUTH_URL", "https://www.linkedin.com"),
    "bluesky": ("BLUESKY_BASE_URL", "https://bsky.social"),
    "facebook": ("FACEBOOK_BASE_URL", "https://graph.facebook.com"),
}
"""The variable that says where a provider gives tokens, and where it usually does."""


def place(provider: str, env: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """Where the account's own settings say that its provider is, else the environment, else where it usually is.

    LinkedIn gives tokens on another host than its API's, so an account's base_url does not say where.
    """
    own = settings.get("base_url")
    if own and provider != "linkedin":
        return checked_url(str(own), "The account's setting base_url")
    return base_url(env, *PLACES[provider])


def _basic(user: str, password: str) -> str:
    from base64 import b64encode
    from urllib.parse import quote

    # Each part form-encoded first: RFC 6749, section 2.3.1.
    return b64encode(f"{quote(user, safe='')}:{quote(password, safe='')}".encode()).decode()
