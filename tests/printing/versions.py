"""A stored template, for tests of what is printed from rows (`makers` needs no Django)."""

from datetime import datetime
from typing import Any

from printing.models import Template, TemplateVersion
from printing.template import parse
from tests.printing.makers import template_json


def make_version(at: datetime, **changed: Any) -> TemplateVersion:
    made = Template.objects.create(name=f"Label {Template.objects.count()}", kind="unit", created_at=at)
    layout = template_json(**changed)
    return TemplateVersion.objects.create(
        template=made, number=1, layout=layout, sha256=parse(layout).sha256, created_at=at
    )
