"""A trunk that wants credentials: it challenges INVITEs and takes registrations (digest MD5, qop=auth)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from tests.lab.farend import auth
from tests.lab.farend.dialog import AGENT, new_tag
from tests.lab.farend.message import NameAddr, SipError, reply
from tests.lab.farend.transaction import ServerTransaction

REALM = "farend"


@dataclass(frozen=True, slots=True)
class Registration:
    """A contact that registered. `at`: epoch seconds; `expires_seconds` 0: it took its registration back."""

    user: str
    contact: str
    at: float
    expires_seconds: int


class Gate:
    """`username` empty: registrations are taken and calls let in without a challenge."""

    def __init__(self, username: str = "", password: str = "") -> None:
        self.username, self.password = username, password
        self.registrations: list[Registration] = []
        self.refused = 0
        self._nonces: set[str] = set()

    @property
    def registered(self) -> Registration | None:
        """The registration that holds now, None when there is none."""
        last = self.registrations[-1] if self.registrations else None
        return last if last is not None and last.expires_seconds else None

    def admits(self, transaction: ServerTransaction) -> bool:
        """Whether the request has the right credentials; a 401 or 403 is sent when not."""
        request = transaction.request
        if not self.username:
            return True
        fields = auth.read_credentials(request.get("authorization") or "")
        if fields.get("nonce") not in self._nonces:
            nonce = secrets.token_hex(12)
            self._nonces.add(nonce)
            response = reply(request, 401, to_tag=new_tag())
            challenge = f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5, qop="auth"'
            response.headers += [("www-authenticate", challenge), ("user-agent", AGENT)]
            transaction.respond(response)
            return False
        self._nonces.discard(fields["nonce"])
        if fields.get("username") == self.username and auth.proves(fields, request.method, self.password):
            return True
        self.refused += 1
        transaction.respond(reply(request, 403, to_tag=new_tag()))
        return False

    def register(self, transaction: ServerTransaction, at: float) -> None:
        """Take a REGISTER (after `admits`)."""
        request = transaction.request
        contact = request.get("contact")
        response = reply(request, 200, to_tag=new_tag())
        if contact is not None:
            try:
                expires = _expires(contact, request.get("expires"))
            except (SipError, ValueError):
                transaction.respond(reply(request, 400, to_tag=new_tag()))
                return
            self.registrations.append(Registration(request.to.uri.user, contact, at, expires))
            if expires:
                response.headers += [("contact", contact), ("expires", str(expires))]
        transaction.respond(response)


def _expires(contact: str, header: str | None) -> int:
    own = None if contact.strip() == "*" else NameAddr.parse(contact).params.get("expires")
    return int(own or header or 3600)
