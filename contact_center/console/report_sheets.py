"""Reports as sheets: what the command line and the API write as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contact_center.console.spreadsheet import CsvSheet, written
from contact_center.store.report_detection import Detection

RATINGS_BY = {"channel": "channels", "agent": "agents", "category": "categories", "habit": "habits"}
HOURS_BY = {"hour": "hours", "weekday": "weekdays"}
MATCHING_KEYS = ("calls", "matched", "offline", "vendor_ids", "unusable", "share")
RATING_COLUMNS = {
    "channels": ("channel", "option", "count", "value"),
    "agents": ("agent", "option", "count", "value"),
    "categories": ("channel", "category", "count", "value"),
    "habits": (
        *("agent", "talked", "rated", "rated_share", "asked", "rated_when_asked", "not_rated"),
        *("caller_hung_up_first", "agent_hung_up_first", "forced"),
    ),
}
_GOAL_COLUMNS = ("at", "goal", "option", "value", "call_id", "context_id", "source", "agent")
_HOUR_COLUMNS = ("dials", "completed", "answered", "answer_rate", "connected", "dropped", "abandonment", "agent_hours")
_AMD_COLUMNS = ("campaign", "since_at", "until_at", *Detection().as_json())
_ABANDONMENT_COLUMNS = (
    *("campaign", "profile", "window", "since_at", "until_at", "limit", "abandoned", "answered_by_people"),
    *("abandonment", "abandonment_upper", "abandonment_ofcom", "false_machines", "abandonment_with_false_machines"),
    *("kept", "room"),
    *("connected", "agent_machines", "late", "dropped", "left_early", "machines", "unproven"),
)

Documents = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Columns in their order, and rows that have a value for each."""

    columns: Sequence[str]
    rows: Documents

    def print(self) -> None:
        """To stdout, for spreadsheets."""
        with written(None) as stream:
            sheet = CsvSheet(stream, self.columns)
            for row in self.rows:
                sheet.write(row[name] for name in self.columns)


def rows_sheet(documents: Documents) -> Sheet:
    """Of reports that are rows already: `report queues` and `report agents`."""
    return Sheet(list(documents[0]) if documents else ["queue"], documents)


def campaign_sheet(documents: Documents) -> Sheet:
    """A line for each campaign."""
    lines = [_flat(document) for document in documents]
    return Sheet(list(lines[0]) if lines else ["campaign"], lines)


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """A report as one line: parts become prefixes, an outcome its count and share."""
    line: dict[str, Any] = {}
    for key, value in document.items():
        if key == "outcomes":
            for one in value:
                line[f"outcome_{one['outcome']}"] = one["count"]
                line[f"outcome_{one['outcome']}_share"] = one["share"]
        elif isinstance(value, dict):
            line |= {f"{key}_{inner}": found for inner, found in _flat(value).items()}
        else:
            line[key] = value
    return line


def hours_sheet(document: Mapping[str, Any], by: str) -> Sheet:
    """By a key of HOURS_BY."""
    keys = ("hour",) if by == "hour" else ("weekday", "hour")
    return Sheet((*keys, *_HOUR_COLUMNS), document[HOURS_BY[by]])


def detection_sheet(documents: Documents) -> Sheet:
    """A line for each campaign."""
    return Sheet(_AMD_COLUMNS, documents)


def ratings_sheet(document: Mapping[str, Any], by: str) -> Sheet:
    """By a key of RATINGS_BY."""
    part = RATINGS_BY[by]
    return Sheet(RATING_COLUMNS[part], document[part])


def goals_sheet(document: Mapping[str, Any]) -> Sheet:
    """The log: a line for each time that a goal was reached."""
    return Sheet(_GOAL_COLUMNS, document["log"])


def matching_sheet(document: Mapping[str, Any]) -> Sheet:
    """All tracked calls, and those of each pool and each source."""
    rows = [{**document, "of": "all", "name": ""}]
    rows += [{**part, "of": of, "name": part[of]} for of in ("pool", "source") for part in document[f"{of}s"]]
    return Sheet(("of", "name", *MATCHING_KEYS), rows)


def abandonment_lines(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The windows of a campaign's ledger; what was asked for comes first."""
    asked = [document["asked"]] if document["asked"] else []
    return [*asked, *document["windows"], *document["periods"]]


def abandonment_sheet(documents: Documents) -> Sheet:
    """A line for each window of each campaign."""
    found = [{**document, **line} for document in documents for line in abandonment_lines(document)]
    return Sheet(_ABANDONMENT_COLUMNS, [{name: row.get(name) for name in _ABANDONMENT_COLUMNS} for row in found])
