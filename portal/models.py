"""Who acts for a partner: people who sign in at the portal, the invitations that let them in, and API keys."""

from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from channel.models import Partner
from common.ids import new_public_id
from staff.models import ApiKey, User


class Account(models.Model):
    """Somebody who signs in at the portal for one partner: sees what is that partner's, and nothing else."""

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", verbose_name=_("partner"))
    user = models.OneToOneField(User, models.PROTECT, related_name="portal_account", verbose_name=_("user name"))
    created_at = models.DateTimeField(_("created at"))


class Invitation(models.Model):
    """A link by which one person opens one account, once. The link's secret is kept as SHA-256 of 256 random bits."""

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "inv"))
    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", verbose_name=_("partner"))
    username = models.CharField(_("user name"), max_length=60)
    language = models.CharField(_("language"), max_length=7, blank=True, default="")
    digest = models.BinaryField(unique=True, max_length=32)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.CharField(_("created by"), max_length=150)
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(used_at=None) | Q(withdrawn_at=None), name="an_invitation_is_used_or_withdrawn"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="an_invitation_ends_after_it_began"
            ),
            models.UniqueConstraint(
                "username", condition=Q(used_at=None, withdrawn_at=None), name="a_name_is_invited_once_at_a_time"
            ),
        ]
        indexes = [models.Index(fields=["partner", "-id"], name="invitation_by_partner")]


class PartnerKey(models.Model):
    """An API key that acts for one partner."""

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="+", verbose_name=_("partner"))
    key = models.OneToOneField(ApiKey, models.PROTECT, related_name="+", verbose_name=_("API key"))
