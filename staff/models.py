"""Who may do what for one brand: people, API keys, wrapped keys, two-person approvals, and the audit trail."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from staff.acts import Name, facts_of, name_of


class Role(models.TextChoices):
    OWNER = "owner", _("owner")
    MARKETER = "marketer", _("marketer")
    PRODUCTION = "production", _("production")
    WAREHOUSE = "warehouse", _("warehouse")
    INVESTIGATOR = "investigator", _("investigator")
    ANALYST = "analyst", _("analyst")
    REGIONAL = "regional", _("regional manager")
    LEGAL = "legal", _("legal")
    SUPPORT = "support", _("support")
    FINANCE = "finance", _("finance")
    AUDITOR = "auditor", _("auditor")
    PRESS = "press", _("press")  # somebody outside: sees the files of their own press, and nothing else
    PARTNER = "partner", _("partner")  # somebody outside: signs in at the portal, acts for their own partner


class User(AbstractUser):
    """A member of a brand's staff (in the public schema: of the platform's staff)."""

    MOST_FAILURES = 100

    role = models.CharField(_("role"), max_length=12, choices=Role.choices, default=Role.SUPPORT)
    language = models.CharField(_("language"), max_length=7, blank=True, default="")
    regions = models.CharField(
        pgettext_lazy("staff", "regions"),
        max_length=400,
        blank=True,
        default="",
        db_default="",
        help_text=_("region codes, a space between"),
    )
    failures = models.PositiveSmallIntegerField(_("failed sign-ins in a row"), default=0)

    class Meta(AbstractUser.Meta):
        constraints = [models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_is_known")]

    @property
    def is_locked(self) -> bool:
        """Whether too many sign-ins failed in a row: an owner must unlock the account."""
        return self.failures >= self.MOST_FAILURES


class ApiKey(models.Model):
    """A key for the REST API: shown once, kept as SHA-256 of 256 random bits; ``prefix`` stays visible."""

    class Scope(models.TextChoices):
        READ = "read", _("read")
        CHECK = "check", _("check labels")
        REDEEM = "redeem", _("redeem codes")
        GOODS = "goods", _("record goods")
        PARTNER = "partner", _("act for one partner")  # made on the partner's own page, never beside another scope

    name = models.CharField(_("name"), max_length=60)
    prefix = models.CharField(_("prefix"), max_length=16, unique=True)
    digest = models.BinaryField(unique=True, max_length=32)
    scopes = models.JSONField(_("scopes"), default=list)
    is_test = models.BooleanField(_("test mode"), default=False)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class BrandKey(models.Model):
    """A key of this brand, wrapped by the platform's key-encryption key (`common.keys.KekProvider`)."""

    class Kind(models.TextChoices):
        ROOT = "root", _("root of label keys")
        DATA = "data", _("personal data")
        INDEX = "index", _("blind index")
        SIGN = "sign", _("signing")
        SHARE = "share", _("our share of an instant game")
        GAME = "game", _("instant game")
        DRAW = "draw", _("entries of a draw")

    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=30, blank=True, default="")
    version = models.PositiveSmallIntegerField()
    kek_id = models.CharField(max_length=40)
    blob = models.BinaryField()
    created_at = models.DateTimeField()
    destroyed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "version"], name="brand_key_version_exists_once")
        ]


class Approval(models.Model):
    """One act that needs two persons: proposed, approved by another, consumed once by the service that acts."""

    kind = models.CharField(_("act"), max_length=40)
    payload = models.JSONField()
    payload_hash = models.BinaryField(max_length=32)
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    approved = models.BooleanField(null=True)
    note = models.CharField(max_length=200, blank=True, default="")
    consumed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(decided_by=None) | ~models.Q(decided_by=models.F("requested_by")),
                name="approver_is_not_the_requester",
            )
        ]

    @property
    def name(self) -> Name:
        return name_of(self.kind)

    @property
    def facts(self) -> list[tuple[str, Name, Any]]:
        return facts_of(self.payload)


class Audit(models.Model):
    """One change of a row, written by the trigger `common.db.Audited`; or one act written by `staff.audit.record`."""

    at = models.DateTimeField(_("at"))
    table_name = models.CharField(max_length=63)
    row_id = models.CharField(max_length=40)
    act = models.CharField(_("act"), max_length=40)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    actor = models.CharField(_("by"), max_length=60, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    ip_prefix = models.CharField(max_length=50, blank=True)

    class Meta:
        indexes = [models.Index(fields=["table_name", "row_id", "id"], name="audit_by_row")]
