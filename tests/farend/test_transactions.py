"""Lost datagrams, repeats and silence: the far end against a bare peer, with T1 of 20 ms."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.farend.peer import OFFER, Peer, open_peer
from tests.farend.place import Place
from tests.lab.farend import FarEnd, Timers, stays
from tests.lab.farend.message import Response

FAST = Timers(t1=0.02, t2=0.08, t4=0.1)


@pytest_asyncio.fixture
async def peer(place: Place) -> AsyncIterator[Peer]:
    async with open_peer(place.switch) as peer:
        yield peer


@pytest_asyncio.fixture
async def far(place: Place, peer: Peer) -> AsyncIterator[FarEnd]:
    trunk, phones = (place.trunk, 5062), (place.phones, 5062)
    async with FarEnd(switch=peer.address, trunk=trunk, phones=phones, timers=FAST) as far:
        yield far
        assert far.faults == []


def answer_tag(peer: Peer) -> str:
    return next(m.to.params["tag"] for m in peer.got if isinstance(m, Response) and m.code == 200)


async def test_an_invite_that_comes_again_is_answered_again_and_is_one_call(far: FarEnd, peer: Peer) -> None:
    invite = peer.request("INVITE", "+447300000000", body=OFFER)
    for _ in range(3):
        peer.send(invite, far.trunk.agent.address)
    await peer.until(lambda: peer.codes().count(180) >= 3 or peer.codes().count(100) >= 3, "three answers")
    assert len(far.log.calls) == 1


async def test_a_200_is_repeated_until_its_ack(far: FarEnd, peer: Peer) -> None:
    number = stays(ring=0.0)
    peer.send(peer.request("INVITE", number, body=OFFER), far.trunk.agent.address)
    await peer.until(lambda: peer.codes().count(200) >= 3, "the 200 three times")
    ack = peer.request("ACK", number, branch="z9hG4bKb", to_tag=answer_tag(peer), cseq="1 ACK")
    peer.send(ack, far.trunk.agent.address)
    [call] = far.trunk.incoming
    await call.until(lambda: call.record.ack_at is not None, 2, "ACK")
    assert call.record.repeats_sent >= 2
    bye = peer.request("BYE", number, branch="z9hG4bKc", to_tag=answer_tag(peer), cseq="2 BYE")
    peer.send(bye, far.trunk.agent.address)
    record = await call.until_over(2)
    assert (record.ended_by, record.problems) == ("switch", [])
    peer.send(bye, far.trunk.agent.address)
    await peer.until(lambda: peer.codes()[-2:] == [200, 200], "the BYE's answer again")


async def test_a_200_that_is_never_acknowledged_ends_with_a_bye(far: FarEnd, peer: Peer) -> None:
    peer.send(peer.request("INVITE", stays(ring=0.0), body=OFFER), far.trunk.agent.address)
    await peer.until(lambda: "BYE" in peer.methods(), "BYE")
    [call] = far.trunk.incoming
    assert call.record.ended_by == "time-out"
    assert call.record.problems[0] == "no ACK for the 200"


async def test_a_refusal_is_repeated_until_its_ack_and_the_record_waits_for_it(far: FarEnd, peer: Peer) -> None:
    number = "+447450861234"  # 486 at once
    ended: list[object] = []
    far.log.on_end(ended.append)
    peer.send(peer.request("INVITE", number, body=OFFER), far.trunk.agent.address)
    await peer.until(lambda: peer.codes().count(486) >= 3, "486 three times")
    assert ended == []
    peer.send(peer.request("ACK", number, to_tag="x", cseq="1 ACK"), far.trunk.agent.address)
    await peer.until(lambda: len(ended) == 1, "the record")


async def test_a_cancel_of_an_unknown_call_gets_481_and_a_late_one_changes_nothing(far: FarEnd, peer: Peer) -> None:
    number = stays(ring=0.0)
    peer.send(peer.request("CANCEL", number, branch="z9hG4bKz", cseq="1 CANCEL"), far.trunk.agent.address)
    await peer.until(lambda: peer.codes() == [481], "481")
    peer.send(peer.request("INVITE", number, body=OFFER), far.trunk.agent.address)
    await peer.until(lambda: 200 in peer.codes(), "200")
    peer.send(peer.request("CANCEL", number, cseq="1 CANCEL"), far.trunk.agent.address)
    await peer.until(lambda: peer.got[-1].cseq[1] == "CANCEL" or peer.codes().count(200) > 2, "the CANCEL's answer")
    assert far.trunk.incoming[0].is_over is False


async def test_requests_without_a_call_are_told_so(far: FarEnd, peer: Peer) -> None:
    wanted = {"OPTIONS": 200, "BYE": 481, "SUBSCRIBE": 405, "NOTIFY": 200, "MESSAGE": 200, "PUBLISH": 405}
    for n, method in enumerate(wanted):
        peer.send(peer.request(method, "x", branch=f"z9hG4bK{n}", cseq=f"1 {method}"), far.trunk.agent.address)
    await peer.until(lambda: len(peer.got) == len(wanted), "all answers")
    seen = {m.cseq[1]: m.code for m in peer.got if isinstance(m, Response)}
    assert seen == wanted
    via = peer.got[0].need("via")
    assert f"received={peer.address[0]}" in via
    assert f"rport={peer.address[1]}" in via


async def test_an_extension_that_is_required_but_unknown_is_refused(far: FarEnd, peer: Peer) -> None:
    invite = peer.request("INVITE", stays(), body=OFFER, more="Require: 100rel\r\n")
    peer.send(invite, far.trunk.agent.address)
    await peer.until(lambda: peer.codes() == [420], "420")
    assert peer.got[0].get("unsupported") == "100rel"


async def test_an_offer_without_a_usable_codec_is_refused_with_488(far: FarEnd, peer: Peer) -> None:
    offer = OFFER.replace(b"RTP/AVP 0 8 101", b"RTP/AVP 18 101")
    peer.send(peer.request("INVITE", stays(ring=0.0), body=offer), far.trunk.agent.address)
    await peer.until(lambda: 488 in peer.codes(), "488")
    assert "offer refused" in far.log.calls[0].problems[0]


async def test_an_invite_without_an_offer_gets_one_and_the_answer_comes_in_the_ack(far: FarEnd, peer: Peer) -> None:
    number = stays(ring=0.0)
    peer.send(peer.request("INVITE", number), far.trunk.agent.address)
    await peer.until(lambda: 200 in peer.codes(), "200")
    assert b"m=audio" in peer.got[-1].body
    ack = peer.request("ACK", number, branch="z9hG4bKb", to_tag=answer_tag(peer), cseq="1 ACK", body=OFFER)
    peer.send(ack, far.trunk.agent.address)
    [call] = far.trunk.incoming
    await call.until(lambda: call.audio.agreed, 2, "the answer")
    assert call.heard().codec == "PCMU"


async def test_a_call_nobody_answers_is_tried_again_and_given_up(far: FarEnd, peer: Peer) -> None:
    call = far.phones.add("1001", "secret").dial("123")
    record = await call.until_over(5)
    assert peer.methods().count("INVITE") >= 5
    assert len({message.branch for message in peer.got}) == 1
    assert (record.ended_by, record.problems) == ("time-out", ["INVITE not answered"])
