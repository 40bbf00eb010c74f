"""The far end: simulated customers and agents' phones speaking real SIP and RTP with Asterisk.

See ../README.md.
"""

from __future__ import annotations

from tests.lab.farend.audio import AudioOptions, Voice
from tests.lab.farend.call import Call
from tests.lab.farend.customers import Trunk, e164
from tests.lab.farend.hearing import NOTHING, OTHER, RINGBACK, SILENCE, Interval
from tests.lab.farend.incoming import IncomingCall
from tests.lab.farend.media import Sending
from tests.lab.farend.numbers import Behaviour, answers_at, number_for, refuses, script_for, stays, talks
from tests.lab.farend.outgoing import OutgoingCall
from tests.lab.farend.phones import AUTO_ANSWER, BY_HAND, Phone, Phones, RegistrationError
from tests.lab.farend.record import (
    CallLog,
    CallRecord,
    Direction,
    Side,
    in_flight,
    max_at_once_per_number,
    max_in_flight,
    read_log,
    two_way_at,
)
from tests.lab.farend.script import Script
from tests.lab.farend.transaction import Timers
from tests.lab.farend.world import FarEnd

__all__ = [
    "AUTO_ANSWER",
    "BY_HAND",
    "NOTHING",
    "OTHER",
    "RINGBACK",
    "SILENCE",
    "AudioOptions",
    "Behaviour",
    "Call",
    "CallLog",
    "CallRecord",
    "Direction",
    "FarEnd",
    "IncomingCall",
    "Interval",
    "OutgoingCall",
    "Phone",
    "Phones",
    "RegistrationError",
    "Script",
    "Sending",
    "Side",
    "Timers",
    "Trunk",
    "Voice",
    "answers_at",
    "e164",
    "in_flight",
    "max_at_once_per_number",
    "max_in_flight",
    "number_for",
    "read_log",
    "refuses",
    "script_for",
    "stays",
    "talks",
    "two_way_at",
]
