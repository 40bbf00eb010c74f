"""The order of the checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from asterisk_conf.doctor import ari, files, host, manager, mqtt, trunks
from asterisk_conf.doctor.finding import Finding
from asterisk_conf.doctor.host import SchemaState
from asterisk_conf.doctor.trunks import ReadTrunks, no_trunks
from contact_center.settings import Settings

__all__ = ["SchemaState", "run_checks"]


async def run_checks(
    settings: Settings,
    config_path: Path | None,
    *,
    schema_state: Callable[[str], SchemaState],
    etc: Path | None = None,
    read_trunks: ReadTrunks = no_trunks,
) -> list[Finding]:
    """A finding per check; never raises for what is broken outside.

    ``schema_state`` tells the database's schema from its url and ``read_trunks`` what trunks have used; both may block.
    ``etc`` is Asterisk's configuration directory when it is not the usual one. All together takes about 30 s at most.
    """
    through_ari, through_ami, of_database, of_broker = await asyncio.gather(
        ari.check_all(settings),
        manager.check_all(settings),
        host.database(settings, schema_state),
        mqtt.check_all(settings),
    )
    registered = any(finding.name == "application" and finding.ok for finding in through_ari)
    serving = registered or await host.serve_answers(settings)
    of_trunks = await trunks.check_all(settings, read_trunks) if of_database.ok else []
    ports = await asyncio.gather(host.fastagi(settings, serving=serving), host.http(settings, serving=serving))
    on_disk = (host.database_disk(settings), host.database_folder(settings))
    return [
        host.settings_file(config_path),
        host.passwords(settings),
        of_database,
        *(finding for finding in on_disk if finding is not None),
        host.disk_space(settings),
        host.time_zone(settings),
        host.open_files(),
        *through_ari,
        *through_ami,
        *of_trunks,
        host.listens_on_loopback(settings),
        host.sip_address(settings),
        *ports,
        *of_broker,
        *files.check_all(etc, settings),
    ]
