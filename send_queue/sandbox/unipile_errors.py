"""Unipile's errors: status, type, title and detail, in the live API's words where known."""

from __future__ import annotations

from send_queue.sandbox.http_messages import SandboxResponse, json_answer

_TYPE_OF_STATUS = {
    400: "malformed_request",
    401: "disconnected_account",
    403: "account_restricted",
    404: "resource_not_found",
    415: "unsupported_media_type",
    422: "unprocessable_entity",
    429: "too_many_requests",
    500: "unexpected_error",
    501: "feature_not_implemented",
    503: "service_unavailable",
    504: "request_timeout",
}

# The first two are the live API's exact strings; the others follow the reference.
_SAID = {
    "cannot_resend_yet": (
        "Cannot resend yet",
        "You have reached a temporary provider limit. Please try again later.",
    ),
    "already_invited_recently": (
        "Should delay new invitation to this recipient",
        "An invitation has already been sent recently to this recipient. Please try again later.",
    ),
    "already_connected": ("Already connected", "The recipient is already a first degree connection."),
    "no_connection_with_recipient": (
        "No connection with recipient",
        "The recipient appears not to be first degree connection.",
    ),
    "too_many_requests": (
        "Too many requests",
        "The provider cannot accept any more requests at the moment. Please try again later.",
    ),
    "provider_error": (
        "Provider error",
        "The provider is experiencing operational problems. Please try again later.",
    ),
    "missing_credentials": ("Missing credentials", "The X-API-KEY header is missing or wrong."),
    "disconnected_account": (
        "Disconnected account",
        "The account appears to be disconnected from the provider service.",
    ),
    "request_timeout": (
        "Request timeout",
        "Request Timeout. Please try again, and if the issue persists, contact support.",
    ),
    "unexpected_error": ("Unexpected error", "Something went wrong. Please try again later."),
}


class Refused(Exception):
    """The request gets an error, and nothing is stored."""

    def __init__(self, status: int, code: str, detail: str | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail

    def answer(self) -> SandboxResponse:
        return error(self.status, self.code, None, self.detail)


def error(status: int, code: str | None, title: str | None, detail: str | None) -> SandboxResponse:
    """Make the error body {status, type, title, detail}, with Unipile's usual words for null arguments."""
    code = (code or _TYPE_OF_STATUS.get(status, "unexpected_error")).removeprefix("errors/")
    usual_title, usual_detail = _SAID.get(code, (code.replace("_", " ").capitalize(), "The request was refused."))
    body = {
        "status": status,
        "type": f"errors/{code}",
        "title": usual_title if title is None else title,
        "detail": usual_detail if detail is None else detail,
    }
    return json_answer(status, body)
