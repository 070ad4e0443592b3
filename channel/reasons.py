"""Why a line of a document was refused, in words."""

from django.utils.translation import gettext as _


def reason_text(reason: str) -> str:
    """Return the sentence for a reason; nothing for none."""
    texts = {
        "not_a_code": _("That is neither an SSCC nor a serial."),
        "unknown": _("No label and no unit of this brand has that number."),
        "bad_range": _("The two serials are no range within one batch."),
        "empty": _("Nothing is in this unit."),
        "held_by_other": _("Somebody else holds these goods."),
        "moved_later": _("A later document has these goods elsewhere."),
        "not_inspected": _("These goods came back, or are damaged: inspect them first."),
        "missing": _("These goods are missing."),
        "blocked": _("These goods are stolen or destroyed."),
        "not_shipped": _("These goods were not shipped to this partner."),
        "received_already": _("These goods were received already."),
        "not_returned": _("These goods did not come back."),
        "not_moved": _("The document did not move these goods."),
        "in_other_unit": _("That lies in another unit."),
        "wrong_level": _("A unit goes into a larger one only."),
        "not_inside": _("That is not in this unit."),
    }
    return texts.get(reason, reason)
