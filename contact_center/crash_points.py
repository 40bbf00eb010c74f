"""Named instants at which a process lets itself be ended, so that it can be proven what the next one makes of it.

``CALLWRIGHT_CRASH_AT=answer_seen`` ends the process, as ``kill -9`` would, the first time it comes to that point;
``answer_seen:3`` the third time. Without the variable, which is read once at the start, nothing ever happens.
"""

from __future__ import annotations

import os
from itertools import count

VARIABLE = "CALLWRIGHT_CRASH_AT"
EXIT_CODE = 137
POINTS = (
    "intent_chosen",  # leads and lines chosen, the transaction not committed
    "intent_committed",  # committed, nothing sent
    "originate_sent",  # Asterisk has the command
    "ringing_seen",
    "ringing_posted",
    "answer_seen",
    "answer_posted",
    "agent_reserved",
    "agent_leg_sent",
    "agent_answered",
    "bridge_joined",  # they hear each other, which nobody wrote down
    "connected_posted",
    "facts_applied",  # the transaction of facts not committed
    "facts_stored",  # committed, the writer not told
    "talk_over",  # one has left, the other has not been told
    "wrap_up_begun",  # both have gone, the end is not written down
    "settled_posted",
    "snapshot_taken",  # at a start: nothing adopted yet
    "calls_adopted",  # at a start: adopted and closed, leftovers still there
)
CALLBACK_POINTS = (
    "callback_claimed",  # an agent is held for a callback, nobody is rung
    "callback_dialled",  # the dial is committed, nothing sent
)
_POINT, _, _TIMES = os.environ.get(VARIABLE, "").partition(":")
_passes = count(1)


def reached(point: str) -> None:
    """The process comes to ``point``, and ends if it is the one that was asked for."""
    if point == _POINT and next(_passes) >= int(_TIMES or 1):
        os._exit(EXIT_CODE)
