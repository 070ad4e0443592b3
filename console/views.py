"""Pages that see several apps."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from staff.permissions import staff_view


@staff_view("console.read")
def today(request: HttpRequest) -> HttpResponse:
    """Show today against the same weekday a week ago."""
    return render(request, "console/today.html")
