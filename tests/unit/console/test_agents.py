"""`callwright agent ...` on a real database."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import select

from contact_center.models import Agent, Audit, Control, Outbox
from tests.unit.console.support import Cli


def test_an_agent_without_endpoint_gets_a_sip_account_of_his_own(cli: Cli) -> None:
    agent = cli.json("agent", "add", "1001", "--name", "Ann Lee", "--team", "sales")
    assert agent["endpoint"] == "PJSIP/1001"
    [(endpoint, password)] = cli.provisioned
    assert endpoint == "PJSIP/1001"
    assert re.fullmatch(r"[A-Za-z0-9]{24,32}", password)
    phone = cli.json("agent", "phone", "1001")
    assert phone == {"ext": "1001", "server": "127.0.0.1:5060", "user": "1001", "password": password}


def test_rotating_ends_the_old_password(cli: Cli) -> None:
    cli.ok("agent", "add", "1001", "--name", "Ann")
    old = cli.json("agent", "phone", "1001")["password"]
    new = cli.json("agent", "phone", "1001", "--rotate")["password"]
    assert new != old
    assert cli.provisioned[-1] == ("PJSIP/1001", new)


def test_an_agent_with_his_own_endpoint_has_no_password_to_show_or_rotate(cli: Cli) -> None:
    cli.ok("agent", "add", "1002", "--name", "Bob", "--endpoint", "PJSIP/bobs-desk")
    assert cli.provisioned == []
    assert cli.json("agent", "phone", "1002")["password"] is None
    assert "bobs-desk" in cli.refused(2, "agent", "phone", "1002", "--rotate")


def test_the_document_of_an_agent_is_the_contracts(cli: Cli) -> None:
    cli.ok("queue", "add", "support")
    cli.ok("agent", "add", "1001", "--name", "Ann", "--queue", "support", "--team", "sales")
    agent = cli.json("agent", "show", "1001")
    assert datetime.fromisoformat(agent.pop("since_at")).tzinfo == UTC
    assert agent == {
        "ext": "1001",
        "name": "Ann",
        "endpoint": "PJSIP/1001",
        "state": "offline",
        "queues": ["support"],
        "team": "sales",
        "connect": "on_demand",
        "status": "offline",
        "pause_reason": "",
    }
    assert [a["ext"] for a in cli.json("agent", "list", "--team", "sales")] == ["1001"]
    assert cli.json("agent", "list", "--team", "other") == []


def test_a_duplicate_extension_names_the_other_agent(cli: Cli) -> None:
    cli.ok("agent", "add", "1001", "--name", "Ann Lee")
    assert "1001 (Ann Lee)" in cli.refused(2, "agent", "add", "1001", "--name", "Bob")


def test_a_duplicate_endpoint_names_the_other_agent(cli: Cli) -> None:
    cli.ok("agent", "add", "1001", "--name", "Ann Lee")
    line = cli.refused(2, "agent", "add", "1002", "--name", "Bob", "--endpoint", "PJSIP/1001")
    assert "1001 (Ann Lee)" in line
    cli.ok("agent", "add", "1003", "--name", "Cid")
    assert "1001 (Ann Lee)" in cli.refused(2, "agent", "set", "1003", "endpoint=PJSIP/1001")


def test_bad_agents_are_refused_in_one_sentence(cli: Cli) -> None:
    for words in (
        ("1", "--name", "Ann"),
        ("12345678901", "--name", "Ann"),
        ("10a1", "--name", "Ann"),
        ("*45", "--name", "Ann"),
        ("1001", "--name", "  "),
        ("1001", "--name", "A\x1b[31mnn"),
        ("1001", "--name", "A" * 81),
        ("1001", "--name", "Ann", "--endpoint", "SIP/1001"),
        ("1001", "--name", "Ann", "--endpoint", "PJSIP/1001,evil"),
        ("1001", "--name", "Ann", "--endpoint", "PJSIP/callwright-trunk-main"),
        ("1001", "--name", "Ann", "--team", "a/b"),
        ("1001", "--name", "Ann", "--connect", "always"),
    ):
        cli.refused(2, "agent", "add", *words)
    assert cli.json("agent", "list") == []


def test_an_unknown_agent_is_exit_3(cli: Cli) -> None:
    for command in ("show", "online", "offline", "unpause", "remove", "phone"):
        assert "1009" in cli.refused(3, "agent", command, "1009")


def test_what_agents_choose_is_obeyed_by_a_running_serve(cli: Cli) -> None:
    cli.ok("agent", "add", "1001", "--name", "Ann")
    cli.served = True
    for words, status in (
        (("online", "1001"), "online"),
        (("pause", "1001", "--reason", "lunch"), "paused"),
        (("unpause", "1001"), "online"),
        (("offline", "1001"), "offline"),
    ):
        answer = cli.run("agent", *words)
        assert answer.exit_code == 0
        assert "next start" not in answer.stdout
        assert cli.json("agent", "show", "1001")["status"] == status
    with cli.reading() as session:
        rows = session.scalars(select(Control).order_by(Control.id)).all()  # type: ignore[arg-type]
        assert [row.action for row in rows] == ["add", "online", "pause", "unpause", "offline"]
        assert all(row.taken_at is None and row.entity_id == "1001" for row in rows)
        actors = {row.actor for row in session.scalars(select(Audit))}
        assert len(actors) == 1
        assert next(iter(actors)).startswith("cli:")


def test_without_a_serve_a_change_applies_at_next_start(cli: Cli) -> None:
    assert "applies at next start" in cli.ok("agent", "add", "1001", "--name", "Ann")
    assert "applies at next start" in cli.ok("agent", "online", "1001")


def test_with_json_stdout_is_one_document_and_the_note_goes_to_stderr(cli: Cli) -> None:
    answer = cli.run("agent", "add", "1001", "--name", "Ann", "--json")
    assert answer.json["ext"] == "1001"
    assert "applies at next start" in answer.stderr


def test_unpausing_an_agent_who_is_off_line_leaves_him_off_line(cli: Cli) -> None:
    cli.ok("agent", "add", "1001", "--name", "Ann")
    cli.ok("agent", "unpause", "1001")
    assert cli.json("agent", "show", "1001")["status"] == "offline"


def test_an_agent_in_a_call_is_removed_only_by_force(cli: Cli) -> None:
    cli.ok("agent", "add", "1001", "--name", "Ann")
    cli.served = True
    with cli.writing() as session:
        session.scalars(select(Agent)).one().state = "talking"
    assert "--force" in cli.refused(1, "agent", "remove", "1001")
    cli.ok("agent", "remove", "1001", "--force")
    assert cli.withdrawn == ["PJSIP/1001"]
    assert cli.json("agent", "list") == []


def test_changing_to_an_own_endpoint_withdraws_the_account_made_before(cli: Cli) -> None:
    cli.ok("agent", "add", "1001", "--name", "Ann")
    agent = cli.json("agent", "set", "1001", "endpoint=PJSIP/desk-7", "name=Ann B", "queues=a,b", "team=x")
    assert (agent["endpoint"], agent["name"], agent["queues"]) == ("PJSIP/desk-7", "Ann B", ["a", "b"])
    assert cli.withdrawn == ["PJSIP/1001"]
    assert cli.json("agent", "phone", "1001")["password"] is None


def test_an_asterisk_that_is_away_does_not_stop_the_change(cli: Cli) -> None:
    cli.asterisk_away = True
    assert "next start" in cli.ok("agent", "add", "1001", "--name", "Ann")
    assert len(cli.json("agent", "list")) == 1


def test_no_password_is_ever_told_to_others(cli: Cli) -> None:
    cli.ok("agent", "add", "1001", "--name", "Ann")
    cli.ok("agent", "phone", "1001", "--rotate")
    secrets = {password for _, password in cli.provisioned}
    assert len(secrets) == 2
    with cli.reading() as session:
        told = [str(row.payload) for row in session.scalars(select(Outbox))]
        told += [str(row.detail) for row in session.scalars(select(Audit))]
        told += [str(row.payload) for row in session.scalars(select(Control))]
    assert not [text for text in told for secret in secrets if secret in text]


def test_agents_of_a_file_come_all_or_none(cli: Cli) -> None:
    file = cli.folder / "agents.csv"
    file.write_text("ext;name;team;queues\n1001;Ann;sales;a|b\n1002;Bob;;\n1001;Cid;;\n", encoding="utf-8")
    line = cli.refused(2, "agent", "import", file)
    assert f"{file}: line 4" in line
    assert "1001 (Ann)" in line
    assert cli.json("agent", "list") == []
    file.write_text("\ufeffext,name,endpoint,queues\n1001,Ann,,a;b\n1002,Bob,PJSIP/bob,\n", encoding="utf-8")
    assert cli.json("agent", "import", file) == {"imported": 2, "agents": ["1001", "1002"]}
    assert cli.json("agent", "show", "1001")["queues"] == ["a", "b"]
    assert [endpoint for endpoint, _ in cli.provisioned] == ["PJSIP/1001"]


def test_files_that_are_no_list_of_agents_are_one_sentence(cli: Cli) -> None:
    file = cli.folder / "agents.csv"
    for content in (
        b"",
        b"ext,name\n",
        b"foo,bar\n1,2\n",
        b"ext,ext\n1001,Ann\n",
        b'ext,name\n1001,"Ann\n',
        b"ext,name\n1001,Ann,extra\n",
        b"\xff\xfe\x00\x01",
        b"ext,name\n10\x0001,Ann\n",
        b"ext,name\n,\n,x\n",
    ):
        file.write_bytes(content)
        cli.refused(2, "agent", "import", file)
    assert "this is a folder" in cli.refused(2, "agent", "import", cli.folder)
    cli.refused(2, "agent", "import", cli.folder / "nowhere.csv")
    assert cli.json("agent", "list") == []


def test_a_list_of_agents_refuses_a_queue_or_state_that_there_is_not(cli: Cli) -> None:
    cli.ok("queue", "add", "support")
    cli.ok("agent", "add", "1001", "--name", "Ann", "--queue", "later")
    assert "no queue 'nope'" in cli.refused(3, "agent", "list", "--queue", "nope")
    assert "wrap_up" in cli.refused(2, "agent", "list", "--state", "nope")
    assert cli.json("agent", "list", "--queue", "support") == []
    assert [agent["ext"] for agent in cli.json("agent", "list", "--queue", "later", "--state", "offline")] == ["1001"]
