"""The field's figures as pure functions. Shares are fractions from 0 to 1; None is for no data.

Several of them have rival definitions in the field; each docstring says which one it is and who uses it.
"""

from __future__ import annotations

from collections.abc import Iterable


def share(part: float, whole: float) -> float | None:
    """``part / whole``; None when ``whole`` is 0."""
    return part / whole if whole else None


def wilson(part: int, whole: int, z: float = 1.959964) -> tuple[float, float] | None:
    """Between what and what the share lies of which ``part`` of ``whole`` was seen (Wilson 1927; 95 %)."""
    if not whole:
        return None
    seen, spread = part / whole, z * z / whole
    middle = (seen + spread / 2) / (1 + spread)
    half = z * ((seen * (1 - seen) + spread / 4) / whole) ** 0.5 / (1 + spread)
    return (0.0 if not part else max(middle - half, 0.0)), (1.0 if part == whole else min(middle + half, 1.0))


def service_level(answered_within: int, answered: int) -> float | None:
    """Answered within T / answered. Asterisk's app_queue shows it as SL, VICIdial as TMR1 and TMR2."""
    return share(answered_within, answered)


def service_level_sl2(answered_within: int, abandoned_within: int, answered: int, abandoned: int) -> float | None:
    """(Answered within T + abandoned within T) / (answered + abandoned). app_queue's SL2."""
    return share(answered_within + abandoned_within, answered + abandoned)


def service_level_of_offered(answered_within: int, offered: int, short_abandons: int = 0) -> float | None:
    """Answered within T / (offered - short abandons). Genesys and Bright Pattern use it."""
    return share(answered_within, offered - short_abandons)


def abandonment(abandoned: int, queued: int) -> float | None:
    """Inbound: abandoned / queued. A caller who chose a callback has not abandoned (Amazon Connect)."""
    return share(abandoned, queued)


def drop_rate(dropped: int, connected: int) -> float | None:
    """Outbound: dropped / (dropped + connected), over calls answered by a person.

    Machines, calls not answered and dead lines are in neither (16 CFR 310.4(b)(4)(i), 47 CFR 64.1200(a)(7)).
    """
    return share(dropped, dropped + connected)


def ofcom_abandonment(dropped: int, live: int, machines: int) -> float | None:
    """The UK's rate without machine detection: D' / (D' + L), with D' = D * (1 - Ag / (Ag + L)).

    D = ``dropped``; L = ``live`` calls an agent handled; Ag = answering ``machines`` an agent handled: the
    share of machines among handled calls is taken for their share among dropped ones (VICIdial's
    UK_OFCOM_OUTBOUND_COMPLIANCE, whose example is D 29, L 9, Ag 7: 64.44 %). Nothing handled: nothing is
    taken off.
    """
    handled = machines + live
    people = dropped * (1.0 - machines / handled) if handled else float(dropped)
    return share(people, people + live)


def asa(wait_seconds: Iterable[float]) -> float | None:
    """Average speed of answer: the sum of answered callers' waits / their number, in seconds."""
    waits = list(wait_seconds)
    return share(sum(waits), len(waits))


def aht(talk_seconds: float, hold_seconds: float, wrap_up_seconds: float, handled: int) -> float | None:
    """Average handle time: (talk + hold + wrap-up) / calls handled, in seconds."""
    return share(talk_seconds + hold_seconds + wrap_up_seconds, handled)


def occupancy(talk_seconds: float, hold_seconds: float, wrap_up_seconds: float, idle_seconds: float) -> float | None:
    """(Talk + hold + wrap-up) / (talk + hold + wrap-up + idle). Pauses are in neither."""
    busy = talk_seconds + hold_seconds + wrap_up_seconds
    return share(busy, busy + idle_seconds)


def utilisation(talk_seconds: float, hold_seconds: float, wrap_up_seconds: float, idle_seconds: float) -> float | None:
    """(Talk + hold) / (talk + hold + wrap-up + idle): occupancy without wrap-up on top."""
    return share(talk_seconds + hold_seconds, talk_seconds + hold_seconds + wrap_up_seconds + idle_seconds)


def ewma(old: float, new: float) -> float:
    """(3 * old + new) / 4: the hold and talk times that ``queue show`` prints (app_queue)."""
    return (3.0 * old + new) / 4.0


def predictive_gain(predictive_talk_share: float, progressive_talk_share: float) -> float | None:
    """Talk minutes per agent hour, predictive / progressive."""
    return share(predictive_talk_share, progressive_talk_share)
