"""What the codes do, against a scripted Asterisk."""

from __future__ import annotations

import pytest

from agi_scripts.server import AgiServer
from agi_scripts.voice import CORE_SOUNDS
from contact_center.errors import Unreachable
from contact_center.terms import AgentState, AgentStatus
from tests.unit.agi.paper_asterisk import PaperAsterisk, header, obedient
from tests.unit.agi.paper_desk import PaperDesk, card

BIND = "127.64.0.1:0"


async def dial(desk: PaperDesk, script: str, *args: str) -> list[str]:
    async with AgiServer(BIND, desk) as agi:
        return await PaperAsterisk().call(agi.bind, header(script, *args))


async def test_code_45_puts_the_agent_on_line_and_says_so() -> None:
    desk = PaperDesk()
    commands = await dial(desk, "agent_online", "1001")
    assert desk.changes == [("online", "1001", "phone")]
    assert commands == [
        "ANSWER",
        'STREAM FILE callwright/agent-online ""',
        'STREAM FILE agent-loginok ""',
        "SET VARIABLE CALLWRIGHT_RESULT ok",
        "HANGUP",
    ]


async def test_code_45_again_takes_him_off_line() -> None:
    desk = PaperDesk({"1001": card(status=AgentStatus.ONLINE)})
    commands = await dial(desk, "agent_online", "PJSIP/1001")
    assert desk.changes == [("offline", "1001", "phone")]
    assert 'STREAM FILE agent-loggedoff ""' in commands


async def test_the_change_is_made_before_the_call_is_even_answered() -> None:
    desk = PaperDesk()
    changes_when_asked: dict[str, int] = {}

    def note(command: str) -> str:
        changes_when_asked.setdefault(command, len(desk.changes))
        return obedient(command)

    async with AgiServer(BIND, desk) as agi:
        await PaperAsterisk().call(agi.bind, header("agent_online", "1001"), note)
    assert changes_when_asked["ANSWER"] == 1


async def test_an_own_recording_is_played_alone_when_there_is_one() -> None:
    def with_recordings(command: str) -> str:
        return "200 result=0 endpos=4000\n" if command.startswith("STREAM") else obedient(command)

    async with AgiServer(BIND, PaperDesk()) as agi:
        commands = await PaperAsterisk().call(agi.bind, header("agent_online", "1001"), with_recordings)
    assert [c for c in commands if c.startswith("STREAM")] == ['STREAM FILE callwright/agent-online ""']


async def test_a_missing_own_recording_is_not_asked_for_at_each_call() -> None:
    desk = PaperDesk()
    async with AgiServer(BIND, desk) as agi:
        first = await PaperAsterisk().call(agi.bind, header("agent_status", "1001"))
        second = await PaperAsterisk().call(agi.bind, header("agent_status", "1001"))
    assert 'STREAM FILE callwright/agent-status-offline ""' in first
    assert 'STREAM FILE callwright/agent-status-offline ""' not in second
    assert 'STREAM FILE agent-loggedoff ""' in second


async def test_code_46_pauses_with_its_reason_and_comes_back() -> None:
    desk = PaperDesk({"1001": card(status=AgentStatus.ONLINE)})
    paused = await dial(desk, "agent_pause", "1001", "lunch")
    back = await dial(desk, "agent_pause", "1001")
    assert [what for what, _, _ in desk.changes] == ["pause", "unpause"]
    assert 'STREAM FILE dictate/paused ""' in paused
    assert 'STREAM FILE de-activated ""' in back


async def test_code_46_off_line_changes_nothing_and_says_he_is_off_line() -> None:
    desk = PaperDesk()
    commands = await dial(desk, "agent_pause", "1001")
    assert desk.changes == []
    assert 'STREAM FILE agent-loggedoff ""' in commands
    assert "SET VARIABLE CALLWRIGHT_RESULT refused" in commands


@pytest.mark.parametrize("state", list(AgentState))
async def test_every_state_has_words_for_code_47(state: AgentState) -> None:
    assert CORE_SOUNDS[f"agent-status-{state.value}"]


@pytest.mark.parametrize("args", [(), ("",), ("2002",), ("PJSIP/2002",), ("PJSIP/",), ("../1001",), ("é\ufffd",)])
@pytest.mark.parametrize("script", ["agent_online", "agent_pause", "agent_status"])
async def test_an_endpoint_that_is_no_agents_is_refused_in_words(script: str, args: tuple[str, ...]) -> None:
    desk = PaperDesk()
    async with AgiServer(BIND, desk) as agi:
        commands = await PaperAsterisk().call(agi.bind, header(script, *args, callerid="1001"))
    assert desk.changes == []
    assert 'STREAM FILE vm-incorrect ""' in commands
    assert commands[-2:] == ["SET VARIABLE CALLWRIGHT_RESULT refused", "HANGUP"]


async def test_an_agent_removed_meanwhile_hears_that_it_is_not_possible() -> None:
    desk = PaperDesk()
    stale = desk.by_endpoint("PJSIP/1001")
    assert stale is not None
    desk.cards = {"gone": stale}
    commands = await dial(desk, "agent_online", "1001")
    assert 'STREAM FILE feature-not-avail-line ""' in commands
    assert "SET VARIABLE CALLWRIGHT_RESULT refused" in commands


@pytest.mark.parametrize("failure", [RuntimeError("bug"), Unreachable("The database is away.")])
async def test_a_script_that_fails_leaves_the_call_to_the_dialplan(failure: Exception) -> None:
    desk = PaperDesk(failure=failure)
    ran: list[tuple[str, str]] = []
    async with AgiServer(BIND, desk, on_run=lambda script, result: ran.append((script, result))) as agi:
        commands = await PaperAsterisk().call(agi.bind, header("agent_online", "1001"))
    assert commands == ["SET VARIABLE CALLWRIGHT_RESULT error"]
    assert ran == [("agent_online", "error")]


async def test_code_45_of_a_phone_whose_open_line_is_dead_puts_its_agent_on_line_again() -> None:
    desk = PaperDesk({"1001": card(status=AgentStatus.ONLINE)}, has_dead_line=True)
    commands = await dial(desk, "agent_online", "1001")
    assert desk.changes == []
    assert 'STREAM FILE callwright/agent-online ""' in commands
    desk = PaperDesk({"1001": card(status=AgentStatus.PAUSED)}, has_dead_line=True)
    await dial(desk, "agent_online", "1001")
    assert desk.changes == [("online", "1001", "phone")]


async def test_code_46_ends_an_open_line_that_is_dead() -> None:
    desk = PaperDesk({"1001": card(status=AgentStatus.ONLINE)})
    await dial(desk, "agent_pause", "1001")
    assert (desk.looked_at, desk.changes) == (["1001"], [("pause", "1001", "phone")])
