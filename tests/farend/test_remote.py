from __future__ import annotations

from pathlib import Path

import pytest

from tests.farend.place import Place
from tests.lab.farend import read_log, stays, talks
from tests.lab.farend.remote import RemoteError, RemoteFarEnd
from tests.lab.switch import Switch

pytestmark = pytest.mark.asterisk


async def test_a_far_end_in_its_own_process_is_steered_over_a_socket(
    switch: Switch, place: Place, tmp_path: Path
) -> None:
    async with RemoteFarEnd(
        switch=(place.switch, 5060),
        trunk=(place.trunk, 5060),
        phones=(place.phones, 5060),
        record=tmp_path / "calls.jsonl",
    ) as world:
        assert await world.ask("add_phones", accounts={"1001": "secret", "1002": "secret"}) == 2
        await world.ask("script", number=talks(9), scripts=[{"code": 486}, {"ring_seconds": 0.1}])
        busy = await world.ask("dial", phone="1001", number=talks(9))
        assert (await world.ask("wait", call=busy, what="over"))["final_code"] == 486
        call = await world.ask("dial", phone="1001", number=talks(9))
        await world.ask("wait", call=call, what="hears", who=talks(9))
        customer = await world.ask("customer_call", number=talks(9), attempt=2)
        await world.ask("act", call=customer, act="press", digits="5")
        await world.ask("act", call=call, act="hangup")
        record = await world.ask("wait", call=customer, what="over")
        assert (record["ended_by"], record["attempt"]) == ("switch", 2)
        summary = await world.ask("summary")
        assert (summary["live"], summary["faults"]) == (0, [])
        assert summary["calls"] >= 4  # more where an INVITE that another test left is repeated: for 32 s
        with pytest.raises(RemoteError, match="no phone '9'"):
            await world.ask("dial", phone="9", number=stays())
        with pytest.raises(RemoteError, match="no command 'explode'"):
            await world.ask("explode")
        with pytest.raises(RemoteError, match="'act'"):
            await world.ask("phone", name="1001")
        live = await world.ask("dial", phone="1002", number=stays())
        await world.ask("wait", call=live, what="answered")
    made = [record for record in read_log(tmp_path / "calls.jsonl") if record.number in (talks(9), stays())]
    assert len(made) == 6  # the two legs of the last call were ended with the process
