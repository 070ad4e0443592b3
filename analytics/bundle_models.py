"""Evidence bundles that were asked for: of which file, when, and the hash of what was made."""

import uuid
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from analytics.case_models import Case
from common.ids import new_public_id
from common.models import Job

FILE_FIELD = "analytics.EvidenceBundle.file"
"""What the bytes of a bundle are bound to where they are encrypted (`staff.vault`)."""


class EvidenceBundle(models.Model):
    """One bundle of a file's evidence. ``sha256`` is that of the container, which the ledger anchors.

    The bytes lie encrypted on the disk (`analytics.bundling.path_of`). Written when it is asked for, filled in once.
    """

    JOB_KIND = "evidence"

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "evb"))
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="bundles")
    job = models.OneToOneField(Job, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(_("asked at"))
    asked_by = models.CharField(_("asked by"), max_length=150)
    sha256 = models.BinaryField(max_length=32, null=True)
    size = models.PositiveBigIntegerField(_("bytes"), null=True)
    made_at = models.DateTimeField(_("made at"), null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(sha256=None, size=None, made_at=None)
                | Q(sha256__isnull=False, size__isnull=False, made_at__isnull=False),
                name="a_made_bundle_has_its_hash",
            ),
        ]
        indexes = [models.Index(fields=["case", "-id"], name="bundle_of_file")]

    def __str__(self) -> str:
        return self.public_id
