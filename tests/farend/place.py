"""Where the parties of one test run live."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    switch: str
    trunk: str
    phones: str
