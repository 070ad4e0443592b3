"""Build the files of a print that was started, here instead of in a worker; goes on where it stood."""

from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django_tenants.utils import get_tenant_model, tenant_context
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from common.models import Job
from printing import building
from printing.models import PrintJob
from printing.symbols import ProofFailed


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Choose the print, and how much of it is decoded."""
        parser.add_argument("schema", help="the brand's schema")
        parser.add_argument("print", help="the print's id: prj_…")
        parser.add_argument(
            "--proof",
            choices=PrintJob.Proof.values,
            help="decode a sample of each roll, or every label; the default is what was asked for",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Show a bar while the files are built; exit 1 unless all of them are."""
        brand = get_tenant_model().objects.filter(schema_name=options["schema"]).first()
        if brand is None:
            raise CommandError("there is no such brand")
        with tenant_context(brand):
            row = PrintJob.objects.select_related("job").filter(public_id=options["print"]).first()
            if row is None or row.job is None:
                raise CommandError("there is no such print, or nobody has started it")
            if options["proof"]:
                building.choose_proof(row, options["proof"])
            self._build(row, row.job)

    def _build(self, row: PrintJob, job: Job) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(job.subject, total=job.total, completed=job.done)
            try:
                building.build(row.pk, show=lambda lines: bar.update(task, completed=lines))
            except ProofFailed as fault:
                raise CommandError(f"the proof failed: {fault}") from fault
        job.refresh_from_db()
        if job.state != Job.State.DONE:
            raise CommandError(f"the job is {job.get_state_display()}: a worker may have it, or it was stopped")
        self.stdout.write(f"{row.handovers.filter(state='ready').count()} files are ready")
