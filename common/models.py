"""Long work as a row that people can watch: who asked, how far it is, how it ended."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class Job(models.Model):
    """One piece of long work. Progress only rises; a job that is run again continues where it stood."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=40)
    subject = models.CharField(_("subject"), max_length=80, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    done = models.BigIntegerField(_("done"), default=0)
    total = models.BigIntegerField(_("total"), default=0)
    detail = models.JSONField(default=dict, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)
    cancel_asked = models.BooleanField(default=False)
    asked_by = models.CharField(_("asked by"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("created at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    resumed_at = models.DateTimeField(_("resumed at"), null=True, blank=True)
    resumed_done = models.BigIntegerField(default=0)
    beat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(done__lte=models.F("total")), name="job_done_within_total"),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="job_newest_first")]

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in {self.State.DONE, self.State.FAILED, self.State.CANCELLED}

    @property
    def rate(self) -> float | None:
        """Units a second, since somebody last took the job up; None while that cannot be known."""
        since, until, done = self.resumed_at, self.ended_at or self.beat_at, self.done - self.resumed_done
        if since is None or until is None or until <= since or done <= 0:
            return None
        return done / (until - since).total_seconds()

    @property
    def left_s(self) -> int | None:
        """Seconds until the end at this rate; None for a job that has ended, and while that cannot be known."""
        return None if self.ended or not self.rate else round((self.total - self.done) / self.rate)


class PeriodicRun(models.Model):
    """One period of one periodic task, so that it is done once however often its message is delivered."""

    task = models.CharField(max_length=60)
    period = models.CharField(max_length=30)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "period"], name="periodic_task_runs_once_a_period")]
