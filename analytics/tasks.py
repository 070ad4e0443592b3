"""Periodic work over what happened. Each task may be sent twice, and die anywhere."""

from celery import shared_task

from analytics import fair_play
from common.clock import now
from common.periodic import advisory_lock
from lottery.models import Campaign


@shared_task
def report_fairness() -> None:
    """Make the fairness reports that are due."""
    at = now()
    with advisory_lock("analytics.report_fairness") as free:
        for game in fair_play.due(at=at) if free else []:
            fair_play.keep(game, at=at)


@shared_task
def report_fairness_of(campaign_id: int) -> None:
    """Make the fairness report of one game now."""
    fair_play.keep(Campaign.objects.get(pk=campaign_id), at=now())
