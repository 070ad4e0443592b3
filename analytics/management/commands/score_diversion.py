"""`manage.py score_diversion --in DIR --out DIR`: judge shipments, cases and codes of CSV files, without a database."""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from analytics import files


class Command(BaseCommand):
    help = "Judge shipments, cases and codes from CSV files (docs/algorithms/diversion.md). Needs no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--in", dest="source", type=Path, required=True, metavar="DIR")
        parser.add_argument("--out", dest="target", type=Path, required=True, metavar="DIR")

    def handle(self, *, source: Path, target: Path, **_options: Any) -> None:
        started = time.perf_counter()
        try:
            world = files.read_world(source)
            scored = files.score(world)
            alerts = files.write_scores(target, world, scored)
        except files.BadFile as error:
            self.stderr.write(str(error))
            sys.exit(2)
        except OSError as error:
            self.stderr.write(f"{error.filename}: {error.strerror}")
            sys.exit(2)
        found = scored.fit.parameters
        summary = {
            "counts": {
                "shipments": len(world.shipment_ids),
                "distributors": len(world.distributor_ids),
                "cells": len(world.geography.codes),
                **scored.counts,
                "alerts": alerts,
            },
            "ignored": world.ignored,
            "parameters": {
                "near": round(found.near, 4),
                "moved": round(found.moved, 4),
                "border": round(found.border, 4),
                "away": round(found.away, 4),
                "diverters": round(found.diverters, 4),
                "rate": round(found.rate, 4),
                "tau": round(float(found.tau.mean()), 4) if len(found.tau) else None,
                "ip": [round(float(share), 4) for share in scored.problem.ip.classes],
            },
            "seconds": round(time.perf_counter() - started, 2),
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }
        self.stdout.write(json.dumps(summary, indent=1))
