"""A provider of letters: the example of docs/providers.md."""

from datetime import timedelta

from send_queue.model import CannotTell, Sent, Uncertain
from send_queue.providers.address import base_url
from send_queue.providers.http import Answer, Http, Limits, by_status


class Pigeon:
    """Letters by pigeon. PIGEON_BASE_URL is where the loft is."""

    channels = frozenset({"webhook"})
    longest_call = timedelta(seconds=60)  # `Limits.total`; a lease must be longer: 10 minutes at present
    lag = None  # no look-up exists

    def __init__(self, env):
        self._url = base_url(env, "PIGEON_BASE_URL", like="loft.example.com") + "/letters"
        self._http = Http(env=env)

    def send(self, send):
        # The send's id is the same on every attempt: a loft that knows it does not fly twice.
        letter = {"id": str(send.send_id), "to": send.recipient, "text": send.message}
        answer = self._http.request(
            "POST", self._url, json=letter, limits=Limits(), leave_by=send.leave_by, hide=[send.message]
        )
        match by_status(answer, now=send.started_at):
            case Answer(status, json={"letter": str(name)}):
                return Sent(name, status)
            case Answer(status):
                return Uncertain("unreadable_answer", "The loft does not name the letter.", status)
            case outcome:  # whether it left, and what a no means, is judged already
                return outcome

    def look_up(self, _send):
        return CannotTell("The loft keeps no list.")

    def close(self):
        self._http.close()
