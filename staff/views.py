"""Sign-in."""

from typing import Any

from allauth.account.views import LoginView
from django.http import HttpResponse


class SignInView(LoginView):  # type: ignore[misc]  # allauth has no type stubs
    """Sign-in of staff; a wrong name or password comes back with 422."""

    template_name = "staff/sign_in.html"

    def form_invalid(self, form: Any) -> HttpResponse:
        """Answer 422 with the form."""
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 422
        return response
