"""A SIP dialog (RFC 3261 section 12): tags, CSeq numbers, route set and remote target of one call."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.lab.farend.message import NameAddr, Request, Response, SipError, Uri, reply

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, NOTIFY, REFER"
AGENT = "farend"


def new_tag() -> str:
    """A random From or To tag."""
    return f"{random.getrandbits(48):012x}"


def new_branch() -> str:
    """A Via branch that marks an RFC 3261 transaction."""
    return f"z9hG4bK{random.getrandbits(64):016x}"


@dataclass
class Dialog:
    """What a party has to know to write requests and responses within one call.

    `local` and `remote` are whole From/To values. `target` is the URI requests go to, `first_hop` where an
    out-of-dialog request is sent to (and where in-dialog ones go when the target has no usable address).
    """

    own_address: tuple[str, int]
    own_user: str
    call_id: str
    local: str
    remote: str
    target: str
    first_hop: tuple[str, int]
    local_tag: str
    remote_tag: str = ""
    routes: list[str] = field(default_factory=list)
    cseq: int = field(default_factory=lambda: random.randrange(1, 20_000))
    remote_cseq: int = 0

    @classmethod
    def from_invite(cls, request: Request, source: tuple[str, int], own_address: tuple[str, int]) -> Dialog:
        """The callee's dialog; SipError when the request has no Contact."""
        if request.contact is None:
            raise SipError("INVITE without a Contact")
        tag = new_tag()
        return cls(
            own_address=own_address,
            own_user=Uri.parse(request.uri).user,
            call_id=request.call_id,
            local=f"{request.need('to')};tag={tag}",
            remote=request.need("from"),
            target=str(request.contact),
            first_hop=source,
            local_tag=tag,
            remote_tag=request.from_.params.get("tag", ""),
            routes=request.all("record-route"),
            remote_cseq=request.cseq[0],
        )

    @classmethod
    def to_call(
        cls,
        own_address: tuple[str, int],
        user: str,
        display: str,
        number: str,
        peer: tuple[str, int],
        domain: str,
    ) -> Dialog:
        """The caller's dialog before any answer."""
        tag = new_tag()
        host, port = peer
        name = f'"{display}" ' if display else ""
        return cls(
            own_address=own_address,
            own_user=user,
            call_id=f"{random.getrandbits(80):020x}@{own_address[0]}",
            local=f"{name}<sip:{user}@{domain}>;tag={tag}",
            remote=f"<sip:{number}@{host}:{port}>",
            target=f"sip:{number}@{host}:{port}",
            first_hop=peer,
            local_tag=tag,
        )

    @property
    def contact(self) -> str:
        """This side's Contact value."""
        host, port = self.own_address
        return f"<sip:{self.own_user}@{host}:{port}>"

    def establish(self, response: Response) -> None:
        """Take tag, route set and target out of a response that makes the dialog (2xx, or 1xx with a tag)."""
        tag = response.to.params.get("tag")
        if tag:
            self.remote_tag, self.remote = tag, response.need("to")
        self.routes = list(reversed(response.all("record-route")))
        if response.contact is not None:
            self.target = str(response.contact)

    def next_hop(self) -> tuple[str, int]:
        """Where an in-dialog request is sent: the first route, else the target; the first hop if neither is
        an IP.
        """
        uri = NameAddr.parse(self.routes[0]).uri if self.routes else Uri.parse(self.target)
        if all(part.isdigit() for part in uri.host.split(".")):
            return uri.host, uri.port or 5060
        return self.first_hop

    def request(
        self,
        method: str,
        *,
        body: bytes = b"",
        cseq: int | None = None,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Request:
        """A request of this dialog. ACK and CANCEL give the `cseq` of their INVITE; others count up."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        host, port = self.own_address
        headers = [
            ("via", f"SIP/2.0/UDP {host}:{port};rport;branch={new_branch()}"),
            ("max-forwards", "70"),
            *(("route", route) for route in self.routes),
            ("from", self.local),
            ("to", self.remote),
            ("call-id", self.call_id),
            ("cseq", f"{cseq} {method}"),
            ("contact", self.contact),
            ("user-agent", AGENT),
            *extra,
        ]
        if method in ("INVITE", "UPDATE"):
            headers.append(("allow", ALLOW))
        if body:
            headers.append(("content-type", "application/sdp"))
        return Request(headers, body, method, self.target)

    def response(
        self,
        request: Request,
        code: int,
        *,
        body: bytes = b"",
        reason: str = "",
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        """A response of this dialog, with Contact where one is due."""
        answer = reply(request, code, to_tag=self.local_tag, reason=reason)
        if request.method in ("INVITE", "UPDATE") and 100 < code < 300:
            answer.headers += [("contact", self.contact), ("allow", ALLOW)]
        answer.headers += [("user-agent", AGENT), *extra]
        if body:
            answer.headers.append(("content-type", "application/sdp"))
            answer.body = body
        return answer
