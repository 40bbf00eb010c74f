"""The fault kit: what happens to real machines, made to happen at will on one.

`TcpProxy` (ARI, AMI, PostgreSQL), `UdpProxy` (SIP), `SmallDisk` (a tmpfs that fills up), `HeldLock` (another process
holds the SQLite file), `thief` (another program takes the ARI application), `Instants` (kill schedules), and
`ProxiedCentre`, a contact centre whose `serve` reaches Asterisk through proxies only.
"""

from __future__ import annotations

from tests.lab.faults.centre import ProxiedCentre
from tests.lab.faults.disk import SmallDisk
from tests.lab.faults.instants import Instants
from tests.lab.faults.locks import HeldLock
from tests.lab.faults.tcp import Mode, TcpProxy
from tests.lab.faults.thief import thief
from tests.lab.faults.udp import UdpProxy

__all__ = ["HeldLock", "Instants", "Mode", "ProxiedCentre", "SmallDisk", "TcpProxy", "UdpProxy", "thief"]
