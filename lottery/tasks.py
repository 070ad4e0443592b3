"""Periodic work on campaigns. Each task may be sent twice, and die anywhere."""

from celery import shared_task

from common import jobs
from common.clock import now
from common.periodic import advisory_lock
from lottery import services
from lottery.services import arming, beaconing, claiming, papers, paying, rehearsing, telling


@shared_task
def rebalance() -> None:
    """Even out budgets of which a slot has run empty."""
    services.rebalance_all()


@shared_task
def close_due() -> None:
    """Mark campaigns closed whose time is over."""
    services.close_due(at=now())


@shared_task
def go_on() -> None:
    """Open and close games and draws, fetch the public values that are waited for, draw and reveal what is due."""
    at = now()
    with advisory_lock("lottery.go_on") as free:
        if not free:
            return
        arming.open_due(at=at)
        services.advance_due(at=at)
        for beacon, round_no in arming.rounds_waited_for(at=at):
            beaconing.fetch(beacon, round_no, at=at)
        services.advance_due(at=at)
        arming.close_due(at=at)
        arming.reveal_all(at=at)


@shared_task
def rehearse(job_id: int) -> None:
    """Try out a draft over 10,000 scans."""
    rehearsing.rehearse(job_id)


@shared_task
def rehearse_forsaken() -> None:
    """Go on with dry runs that nobody seems to work on."""
    for job_id in jobs.forsaken(rehearsing.JOB_KIND, at=now()):
        rehearsing.rehearse(job_id)


@shared_task
def care_for_claims() -> None:
    """Tell and remind winners, let late prizes go to the next in line, hand out codes, pay, and forget old documents."""
    at = now()
    with advisory_lock("lottery.care_for_claims") as free:
        if not free:
            return
        claiming.expire_due(at=at)
        claiming.promote_due(at=at)
        telling.tell_winners(at=at)
        telling.remind_winners(at=at)
        claiming.hand_out_due(at=at)
        claiming.finish_due(at=at)
        papers.forget_old(at=at)
        paying.pay_due(at=at)
