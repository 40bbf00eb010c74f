"""Doing a thing once, and tokens, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from contact_center.errors import CallwrightError
from contact_center.models import Lead
from contact_center.models_api import ApiAnswer
from contact_center.store.admin import By
from contact_center.store.admin_agents import AgentDraft, add_agent, remove_agent
from contact_center.store.admin_campaigns import add_campaign
from contact_center.store.admin_leads import LeadDraft, add_leads, erase_number
from contact_center.store.admin_tokens import add_token, list_tokens, remove_token, split_token
from contact_center.store.api_answers import KEPT_SECONDS, Answer, Key, answer_once
from contact_center.store.engine import reading, writing
from contact_center.store.queries import find_campaign

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BY = By("test", NOW)


class Died(Exception):
    """The process ended here."""


def once(engine: Engine, key: Key, at: datetime, act: Callable[[], Answer]) -> Answer:
    with writing(engine) as session:
        return answer_once(session, key, at, act)


def push(engine: Engine, key: Key, number: str, *, dies: bool = False) -> Answer:
    with writing(engine) as session:

        def act() -> Answer:
            added = add_leads(session, BY, find_campaign(session, "spring"), [LeadDraft(number, "")], "none")
            return Answer(201, str(added.ids[0]).encode())

        answer = answer_once(session, key, NOW, act)
        if dies:
            raise Died
        return answer


@pytest.fixture
def spring(engine: Engine) -> Engine:
    with writing(engine) as session:
        add_campaign(session, BY, "spring", {"mode": "power"}, [])
    return engine


def count(engine: Engine, model: type[Lead] | type[ApiAnswer]) -> int:
    with reading(engine) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_of_threads_that_race_with_one_key_one_does_it_and_all_get_its_answer(spring: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        for n in range(25):
            key = Key(1, f"race-{n}", "r")
            answers = list(pool.map(lambda _, key=key, n=n: push(spring, key, f"+4474210{n:05}"), range(4)))
            assert len({answer.body for answer in answers}) == 1
            assert sorted(answer.replayed for answer in answers) == [False, True, True, True]
    assert count(spring, Lead) == 25


def test_what_dies_before_its_commit_was_neither_done_nor_answered(spring: Engine) -> None:
    key = Key(1, "abc", "r")
    with pytest.raises(Died):
        push(spring, key, "+447421000007", dies=True)
    assert (count(spring, Lead), count(spring, ApiAnswer)) == (0, 0)
    assert not push(spring, key, "+447421000007").replayed
    assert push(spring, key, "+447421000007").replayed
    assert count(spring, Lead) == 1


def test_another_request_or_another_token_with_the_key_is_not_mistaken_for_it(engine: Engine) -> None:
    once(engine, Key(1, "abc", "r"), NOW, lambda: Answer(200, b"first"))
    with pytest.raises(CallwrightError, match="used for another request"):
        once(engine, Key(1, "abc", "other"), NOW, lambda: Answer(200, b"second"))
    assert once(engine, Key(2, "abc", "other"), NOW, lambda: Answer(200, b"theirs")).body == b"theirs"


def test_a_key_is_forgotten_after_its_time_and_old_ones_go_with_the_new(engine: Engine) -> None:
    for n in range(150):
        once(engine, Key(1, f"k{n}", "r"), NOW, lambda: Answer(200, b"old"))
    later = NOW + timedelta(seconds=KEPT_SECONDS + 1)
    assert once(engine, Key(1, "k149", "other"), later, lambda: Answer(200, b"new")).body == b"new"
    assert count(engine, ApiAnswer) == 50
    once(engine, Key(1, "fresh", "r"), later, lambda: Answer(200, b"new"))
    assert count(engine, ApiAnswer) == 2


def test_erasing_a_number_takes_it_out_of_kept_answers(spring: Engine) -> None:
    push(spring, Key(1, "x", "r"), "+447421000007")
    once(spring, Key(1, "abc", "r"), NOW, lambda: Answer(201, b'{"number":"+447421000007"}'))
    with writing(spring) as session:
        erase_number(session, BY, "+447421000007")
    assert once(spring, Key(1, "abc", "r"), NOW, lambda: Answer(201, b"")).body == b'{"erased":true}'


@pytest.mark.parametrize(("dedupe", "fresh"), [("campaign", 2), ("system", 1), ("none", 4)])
def test_many_leads_are_told_from_those_that_are_there(spring: Engine, dedupe: str, fresh: int) -> None:
    drafts = [LeadDraft(f"+44742100000{n}", "") for n in (1, 2, 3, 3)]
    with writing(spring) as session:
        add_campaign(session, BY, "summer", {"mode": "power"}, [])
        add_leads(session, BY, find_campaign(session, "spring"), drafts[:1], "none")
        add_leads(session, BY, find_campaign(session, "summer"), drafts[1:2], "none")
    with writing(spring) as session:
        added = add_leads(session, BY, find_campaign(session, "spring"), drafts, dedupe)
    assert (len(added.ids), added.duplicates) == (fresh, 4 - fresh)
    with reading(spring) as session:
        numbers = [session.get_one(Lead, lead_id).number for lead_id in added.ids]
    assert numbers == [d.number for d in drafts if d.number in numbers][: len(numbers)]


def test_with_an_agent_go_his_tokens_and_with_a_token_its_answers(engine: Engine) -> None:
    with writing(engine) as session:
        for ext in ("1001", "1002"):
            add_agent(session, BY, AgentDraft(ext, ext))
            add_token(session, BY, f"t{ext}", "agent", ext)
        ids = {row.name: row.id or 0 for row in list_tokens(session)}
    for token in ids.values():
        once(engine, Key(token, "abc", "r"), NOW, lambda: Answer(200, b"x"))
    with writing(engine) as session:
        remove_agent(session, BY, "1001", force=False, served=False)
    with reading(engine) as session:
        assert [row.name for row in list_tokens(session)] == ["t1002"]
    assert count(engine, ApiAnswer) == 1
    assert once(engine, Key(ids["t1001"], "abc", "other"), NOW, lambda: Answer(200, b"new")).body == b"new"


def test_a_token_is_found_by_its_key_and_known_by_its_digest_alone(engine: Engine) -> None:
    with writing(engine) as session:
        made = add_token(session, BY, "crm", "lead_push")
    with reading(engine) as session:
        [row] = list_tokens(session)
    assert split_token(made.token) == (row.key, row.digest)
    assert made.token.rsplit("_", 1)[1] not in str(row)
    assert split_token(made.token + "x") is None
    with writing(engine) as session:
        remove_token(session, BY, "crm")
        assert list_tokens(session) == []
