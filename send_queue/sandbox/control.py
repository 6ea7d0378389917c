"""Control the sandbox over HTTP: paths below /sandbox/, without a key.

POST   /sandbox/faults          add a JSON list of faults (see faults.py); answers with all faults
GET    /sandbox/faults          all faults, each with the number of its uses
DELETE /sandbox/faults          drop all faults
GET    /sandbox/journal         the accepted sends, as a JSON list
GET    /sandbox/accounts/{id}   an account's settings
POST   /sandbox/accounts/{id}   change some: status, invite_limit, relations, messages_need_relation, unknown
POST   /sandbox/tokens          {"provider", "account_id"}: connect an account of x, linkedin, bluesky or facebook;
                                answers with its first tokens. DELETE, with the same: revoke them
POST   /sandbox/restart-clean   empty the journal and restore the initial state
"""

from __future__ import annotations

import json
from typing import Any, Protocol
from urllib.parse import unquote

from send_queue.sandbox.faults import Fault
from send_queue.sandbox.http_messages import BadBody, Request, SandboxResponse, json_answer, json_object
from send_queue.sandbox.journal import Entry
from send_queue.sandbox.linkedin_state import BadSettings
from send_queue.sandbox.oauth import Tokens


class Orders(Protocol):
    """The sandbox's controls, in Python and over HTTP."""

    def order(self, *faults: Fault) -> None: ...
    def faults(self) -> list[dict[str, Any]]: ...
    def clear_faults(self) -> None: ...
    def accepted(self) -> list[Entry]: ...
    def account(self, account_id: str, **settings: Any) -> dict[str, Any]: ...
    def tokens(self, provider: str) -> Tokens: ...
    def restart_clean(self) -> None: ...


class Control:
    """Carry out orders over HTTP."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def answer(self, request: Request) -> SandboxResponse:
        """Answer a request below /sandbox/; `error` holds a problem."""
        path = request.path.removeprefix("/sandbox/").rstrip("/")
        try:
            match request.method, path.split("/"):
                case "POST", ["faults"]:
                    self._orders.order(*read_faults(request.body))
                    return json_answer(200, self._orders.faults())
                case "GET", ["faults"]:
                    return json_answer(200, self._orders.faults())
                case "DELETE", ["faults"]:
                    self._orders.clear_faults()
                    return json_answer(200, [])
                case "GET", ["journal"]:
                    return json_answer(200, self._orders.accepted())
                case "GET", ["accounts", account_id]:
                    return json_answer(200, self._orders.account(unquote(account_id)))
                case "POST", ["accounts", account_id]:
                    settings = json_object(request.body)
                    return json_answer(200, self._orders.account(unquote(account_id), **settings))
                case "POST", ["tokens"]:
                    provider, account_id = _grant(request.body)
                    return json_answer(200, self._orders.tokens(provider).connect(account_id))
                case "DELETE", ["tokens"]:
                    provider, account_id = _grant(request.body)
                    self._orders.tokens(provider).revoke(account_id)
                    return json_answer(200, {})
                case "POST", ["restart-clean"]:
                    self._orders.restart_clean()
                    return json_answer(200, {})
        except (BadBody, BadSettings, ValueError) as wrong:
            return json_answer(400, {"error": str(wrong)})
        return json_answer(404, {"error": f"The sandbox has no {request.method} {request.path}."})


def read_faults(text: str | bytes) -> list[Fault]:
    """Read a JSON list of faults. Raises `ValueError`."""
    value = json.loads(text)
    if not isinstance(value, list):
        raise ValueError("The faults are not a JSON list: write [{…}].")
    return [Fault.from_json(one) for one in value]


def _grant(body: bytes) -> tuple[str, str]:
    asked = json_object(body)
    provider, account_id = asked.get("provider"), asked.get("account_id")
    if not isinstance(provider, str) or not isinstance(account_id, str) or not account_id:
        raise BadBody("provider or account_id is missing: give both.")
    return provider, account_id
