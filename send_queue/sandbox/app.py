"""Handle a request: the provider parses it, a fault may spoil it, the provider performs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from send_queue.sandbox.control import Control
from send_queue.sandbox.faults import Faults
from send_queue.sandbox.http_messages import Provider, Request, SandboxCall, SandboxResponse, json_answer

NOT_HIDDEN = timedelta()


class App:
    """Answer requests; None closes the connection without an answer."""

    def __init__(
        self,
        providers: Sequence[Provider],
        faults: Faults,
        control: Control,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._providers = providers
        self._faults = faults
        self._control = control
        self._sleep = sleep

    def answer(self, request: Request) -> SandboxResponse | None:
        """Answer one request."""
        if request.path.startswith("/sandbox/"):
            return self._control.answer(request)
        if provider := self._owner(request.path):
            return self._call(provider, provider.understand(request))
        return json_answer(404, {"error": f"No provider of the sandbox has the path {request.path}."})

    def refuse(self, path: str, code: str, detail: str) -> SandboxResponse:
        """Refuse unreadable bytes in the form of the path's provider."""
        if provider := self._owner(path):
            return provider.error(400, code, None, detail)
        return json_answer(400, {"error": detail})

    def _owner(self, path: str) -> Provider | None:
        """Return the provider with the longest matching prefix."""
        fitting = [(len(prefix), provider) for provider in self._providers for prefix in provider.prefixes
                   if path.startswith(prefix)]  # fmt: skip
        return max(fitting, key=lambda fits: fits[0])[1] if fitting else None

    def _call(self, provider: Provider, call: SandboxCall) -> SandboxResponse | None:
        fault = self._faults.pick(call)
        if fault is None:
            return call.perform(NOT_HIDDEN)
        self._sleep(fault.delay)
        if fault.drop == "before":
            return None
        instead = fault.answer(provider)
        if instead is not None and not fault.accept:
            return instead
        answer = call.perform(fault.hidden)
        self._sleep(fault.answer_delay)
        if fault.drop == "after":
            return None
        return fault.spoiled(instead or answer)
