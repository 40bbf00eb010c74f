"""`callwright report ...`: each report has a module of its own and is added to this sub-command here."""

from __future__ import annotations

import typer

from contact_center.console import (
    report_abandonment,
    report_campaign,
    report_detection,
    report_evidence,
    report_queues,
    report_ratings,
    tracking,
)

app = typer.Typer(help="Reports.", epilog="Example: callwright report queues --from 09:00", no_args_is_help=False)
app.command(epilog=report_abandonment.EXAMPLE)(report_abandonment.abandonment)
app.command(epilog=report_campaign.CAMPAIGN_EXAMPLE)(report_campaign.campaign)
app.command(epilog=report_campaign.HOURS_EXAMPLE)(report_campaign.hours)
app.command(epilog=report_detection.EXAMPLE)(report_detection.amd)
app.command(epilog=report_evidence.EXAMPLE)(report_evidence.evidence)
app.command(epilog=report_queues.QUEUES_EXAMPLE)(report_queues.queues)
app.command(epilog=report_queues.AGENTS_EXAMPLE)(report_queues.agents)
app.command(epilog=tracking.MATCHING_EXAMPLE)(tracking.matching)
app.command(epilog=report_ratings.RATINGS_EXAMPLE)(report_ratings.ratings)
app.command(epilog=report_ratings.GOALS_EXAMPLE)(report_ratings.goals)
app.command(epilog=report_ratings.CALLS_EXAMPLE)(report_ratings.calls)
