"""Whatever arrives on a socket is refused or ignored; it never stops the far end."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.farend.peer import OFFER, open_peer
from tests.farend.place import Place
from tests.lab.farend import FarEnd, auth, rtp, sdp, stays
from tests.lab.farend.customers import e164
from tests.lab.farend.message import Request, Response, SipError, Uri, parse, reply

INVITE = (
    b"INVITE sip:+447420000000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKx\r\n"
    b'From: "A \\"B\\" C" <sip:1001@127.0.0.1>;tag=t\r\nTo: <sip:+447420000000@127.0.0.1>\r\nCall-ID: c\r\n'
    b"CSeq: 1 INVITE\r\nContact: <sip:1001@127.0.0.1:5060>\r\nContent-Length: " + str(len(OFFER)).encode() + b"\r\n\r\n"
) + OFFER

damaged = st.builds(
    lambda at, length, junk: INVITE[:at] + junk + INVITE[at + length :],
    st.integers(0, len(INVITE)),
    st.integers(0, 60),
    st.binary(max_size=40),
)


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.binary(max_size=1500), damaged))
def test_any_datagram_is_a_message_or_a_sip_error(data: bytes) -> None:
    with contextlib.suppress(SipError):
        message = parse(data)
        if isinstance(message, Request):
            parse(reply(message, 200, to_tag="x").to_bytes())
        else:
            assert isinstance(message, Response)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=600), damaged.map(lambda data: data.partition(b"\r\n\r\n")[2])))
def test_any_body_is_sdp_or_an_sdp_error(data: bytes) -> None:
    with contextlib.suppress(sdp.SdpError):
        remote = sdp.parse(data)
        again = sdp.parse(sdp.write(remote, session_id=1, version=1))
        assert (again.host, again.port, again.direction) == (remote.host, remote.port, remote.direction)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda data: b"\x80" + data)))
def test_any_packet_is_rtp_or_nothing(data: bytes) -> None:
    packet = rtp.parse(data)
    if packet is not None:
        rtp.parse_event(packet.payload)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_uri_or_an_error_and_any_user_part_a_name(text: str) -> None:
    with contextlib.suppress(SipError):
        Uri.parse(text)
    assert isinstance(e164(text), str)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_challenge_is_answered_or_an_auth_error(text: str) -> None:
    response = Response([("www-authenticate", f"Digest {text}")], b"", 401, "")
    with contextlib.suppress(auth.AuthError):
        auth.authorize(response, "REGISTER", "sip:x", "user", "password")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=900), damaged), min_size=20, max_size=60))
async def test_a_far_end_under_garbage_still_answers(place: Place, junk: list[bytes]) -> None:
    trunk, phones = (place.trunk, 5064), (place.phones, 5064)
    async with (
        open_peer(place.switch) as peer,
        FarEnd(switch=peer.address, trunk=trunk, phones=phones) as far,
    ):
        for data in junk:
            peer.send(data, trunk)
        peer.send(peer.request("INVITE", stays(ring=0.0), branch="z9hG4bKlast", body=OFFER), trunk)
        await peer.until(lambda: any(m.branch == "z9hG4bKlast" and 200 in peer.codes() for m in peer.got), "the answer")
        [call] = far.trunk.calls_to(stays(ring=0.0))[-1:]
        assert call.audio.stream is not None
        for data in junk:
            peer.send(data, call.audio.stream.address)
        sender = rtp.Sender(0, 101, b"\xff" * 160)
        packet = sender.packet()
        assert packet is not None
        before = call.heard().rtp_received
        peer.send(packet, call.audio.stream.address)
        await peer.until(lambda: call.heard().rtp_received > before, "the packet among the garbage")
        assert far.faults == []
