"""`callwright lead import` beside a running serve, cut short, and killed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from contact_center.clock import SystemClock
from contact_center.models import Control, Lead, LeadBatch, LeadImport
from contact_center.settings import Site
from contact_center.store import admin_imports
from contact_center.store.admin import By
from contact_center.store.admin_leads import LeadDraft
from contact_center.store.queries import find_campaign
from dialer.lead_import import GAP_SECONDS, ImportOrder, LeadImporter
from tests.unit.console.support import Cli

pytestmark = pytest.mark.clock

ANN = "+442079460018"


def put(cli: Cli, content: str, name: str = "leads.csv") -> Path:
    file = cli.folder / name
    file.write_text(content, encoding="utf-8")
    return file


def leads(cli: Cli) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli.json("lead", "list", "--campaign", "spring", "--limit", 1000)
    return found


def importer(cli: Cli, **more: Any) -> LeadImporter:
    return LeadImporter(cli.engine, SystemClock(), Site(), "test", **more)


def many(cli: Cli, rows: int) -> Path:
    return put(cli, "phone\n" + "".join(f"+4420794{n:05d}\n" for n in range(rows)))


def test_no_lead_can_be_dialled_before_the_file_has_been_read_to_its_end(cli: Cli) -> None:
    seen: list[int] = []

    def look(done: int, size: int) -> None:
        if done < size // 2:
            with cli.reading() as session:
                seen.append(len(session.scalars(select(Lead)).all()))

    result = importer(cli, on_progress=look).run(ImportOrder("spring", many(cli, 2000)))
    assert result.imported == 2000
    assert len(seen) >= 3
    assert set(seen) == {0}


def test_an_import_that_fails_half_way_leaves_nothing(cli: Cli) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, size: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        importer(cli, on_progress=stop).run(ImportOrder("spring", many(cli, 2000)))
    with cli.reading() as session:
        for table in (Lead, LeadBatch, LeadImport):
            assert session.scalars(select(table)).all() == []


def begin(cli: Cli, owner: str, *, finished: bool) -> int:
    """An import of 600 rows whose program is gone."""
    now = SystemClock().now()
    with cli.writing() as session:
        key = admin_imports.begin_import(session, By("test", now), find_campaign(session, "spring"), "campaign")
        drafts = [LeadDraft(f"+4420794{n:05d}", "Europe/London") for n in range(600)]
        admin_imports.stage(session, key, drafts[:500], now)
        admin_imports.stage(session, key, drafts[500:], now)
        if finished:
            admin_imports.finish_reading(session, key, now)
        session.get_one(LeadImport, key).owner = owner
    return key


def dead() -> str:
    """The name of a process of this machine that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(10)
    return admin_imports.owner().split(":")[0] + f":{process.pid}:1"


def test_the_next_import_throws_away_what_a_dead_one_had_read(cli: Cli) -> None:
    begin(cli, dead(), finished=False)
    assert cli.json("lead", "import", "spring", put(cli, f"phone\n{ANN}\n"))["imported"] == 1
    assert len(leads(cli)) == 1
    with cli.reading() as session:
        assert session.scalars(select(LeadBatch)).all() == []


def test_the_next_import_ends_one_that_had_been_read_to_its_end(cli: Cli) -> None:
    begin(cli, dead(), finished=True)
    assert importer(cli).settle() == 600
    assert len(leads(cli)) == 600
    assert importer(cli).settle() == 0


def test_an_import_that_lives_elsewhere_is_left_alone(cli: Cli) -> None:
    begin(cli, "another-host:1:1", finished=True)
    begin(cli, admin_imports.owner(), finished=False)
    assert importer(cli).settle() == 0
    with cli.reading() as session:
        assert len(session.scalars(select(LeadBatch)).all()) == 4


def test_an_import_killed_in_the_middle_leaves_no_lead(cli: Cli) -> None:
    """kill -9 while it reads, then a second import."""
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from contact_center.clock import SystemClock
        from contact_center.settings import Site
        from contact_center.store.engine import open_engine
        from dialer.lead_import import ImportOrder, LeadImporter

        def die(done, size):
            os.kill(os.getpid(), 9)

        engine = open_engine(sys.argv[1])
        LeadImporter(engine, SystemClock(), Site(), "t", die).run(ImportOrder("spring", Path(sys.argv[2])))
    """)
    words = [sys.executable, "-c", program, cli.url, str(many(cli, 3000))]
    assert subprocess.run(words, timeout=60, check=False).returncode == -9
    with cli.reading() as session:
        assert len(session.scalars(select(LeadBatch)).all()) == 1
    assert leads(cli) == []
    assert cli.json("lead", "import", "spring", put(cli, f"phone\n{ANN}\n", "b.csv"))["imported"] == 1
    assert [d["number"] for d in leads(cli)] == [ANN]


def test_a_running_serve_is_never_held_up_by_an_import(cli: Cli) -> None:
    """Another writer gets its turn within half a second, again and again, while 6 000 rows come in."""
    waits: list[float] = []
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            started = time.monotonic()
            with cli.writing() as session:
                find_campaign(session, "spring").team = ""
            waits.append(time.monotonic() - started)
            done.wait(GAP_SECONDS / 3)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        result = importer(cli).run(ImportOrder("spring", many(cli, 6000)))
    finally:
        done.set()
        writer.join(10)
    assert result.imported == 6000
    assert len(waits) > 20
    assert max(waits) < 0.5


def test_a_running_serve_is_told_that_leads_have_come(cli: Cli) -> None:
    cli.served = True
    answer = cli.run("lead", "import", "spring", put(cli, f"phone\n{ANN}\n"))
    assert "next start" not in answer.stdout
    with cli.reading() as session:
        row = session.scalars(select(Control).order_by(Control.id.desc())).first()  # type: ignore[union-attr]
    assert row is not None
    assert (row.entity, row.entity_id, row.action) == ("campaign", "spring", "leads")
    assert row.payload["imported"] == 1
