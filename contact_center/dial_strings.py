"""What Asterisk is told to dial. Nothing but the settings and the digits of a number ever goes into it."""

from __future__ import annotations

from contact_center.settings import Trunk


def dial_string(name: str, trunk: Trunk, number: str, server: str) -> str:
    """The complete dial string. ``number`` is E.164; nothing but its digits is taken from it.

    Raises ValueError when it holds anything else: a dial string must never reach another host.
    """
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and 3 <= len(digits) <= 15):
        raise ValueError("a number of 3 to 15 digits is wanted")
    uri = trunk.dial_format.removeprefix("sip:").format(number=digits, host=trunk.host, port=trunk.port, server=server)
    transport = "" if trunk.transport == "udp" else f";transport={trunk.transport}"
    return f"PJSIP/callwright-trunk-{name}/sip:{uri}{transport}"
