"""The REST API of a brand: one description, one form of error, docs on our own host."""

from http import HTTPStatus
from typing import Any

from csp.decorators import csp_replace
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import OpenAPISchema

from channel.api import router as goods
from channel.epcis_api import router as epcis
from common.errors import DomainError
from common.problems import PROBLEM, BadRequest, problem, problem_of
from portal.api import router as partner
from redemption import schemas
from redemption.api import router as redemption

DESCRIBED_BODIES = (schemas.CheckIn, schemas.RedeemIn, schemas.BulkIn)


class Api(NinjaAPI):
    """Ninja's API, with problems in its description and the bodies that operations read themselves."""

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        """Return the OpenAPI 3.1 description."""
        described = super().get_openapi_schema(**kwargs)
        components = described["components"]["schemas"]
        for schema in DESCRIBED_BODIES:
            body = schema.model_json_schema(ref_template="#/components/schemas/{model}")
            components.update(body.pop("$defs", {}))
            components[schema.__name__] = body
        for operations in described["paths"].values():
            for operation in operations.values():
                _mark_problems(operation["responses"])
        described["openapi"] = "3.1.0"
        return described


def _mark_problems(responses: dict[Any, Any]) -> None:
    """Give each problem its media type, and each 429 and 503 its Retry-After."""
    for status, response in responses.items():
        content = response.get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").endswith("/Problem"):
            response["content"] = {PROBLEM: content["application/json"]}
        if str(status) in {"429", "503"}:
            response["headers"] = {
                "Retry-After": {"description": "seconds", "schema": {"type": "integer"}, "required": True}
            }
        if str(status) == "401":
            response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}


api = Api(
    title=f"{settings.PRODUCT_NAME_BOTH} API",
    version="1",
    description="Check labels, redeem the codes under their scratch layers, and record where goods go.",
    urls_namespace="api-v1",
    docs_url=None,
    openapi_url="/openapi.json",
)
api.add_router("", redemption)
api.add_router("", goods)
api.add_router("/epcis", epcis)
partners = Api(
    title=f"{settings.PRODUCT_NAME_BOTH} API for partners",
    version="1",
    description="What the systems of a distributor or a retailer read and send: its own, and nothing else.",
    urls_namespace="partner-v1",
    docs_url=None,
    openapi_url="/openapi.json",
)
partners.add_router("", partner)


@partners.exception_handler(DomainError)
@api.exception_handler(DomainError)
def _domain_error(_request: HttpRequest, error: DomainError) -> HttpResponse:
    return problem_of(error)


@partners.exception_handler(ValidationError)
@api.exception_handler(ValidationError)
def _validation_error(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    faults = [{"at": list(fault["loc"]), "message": fault["msg"]} for fault in error.errors]
    return problem(
        422, code="invalid", detail=_("The request does not have the shape that is asked for."), errors=faults
    )


@partners.exception_handler(HttpError)
@api.exception_handler(HttpError)
def _http_error(_request: HttpRequest, error: HttpError) -> HttpResponse:
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return problem_of(BadRequest())
    return problem(error.status_code, code="error", detail=error.message)


@partners.exception_handler(Http404)
@api.exception_handler(Http404)
def _not_found(_request: HttpRequest, _error: Http404) -> HttpResponse:
    return problem(404, code="not_found", detail=_("There is no such thing here."))


@partners.exception_handler(OperationalError)
@partners.exception_handler(InterfaceError)
@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def _database_error(_request: HttpRequest, _error: Exception) -> HttpResponse:
    return problem(503, code="try_later", detail=_("We cannot answer now. Please send the same again in a moment."))


@csp_replace({"script-src": ["'self'"], "style-src": ["'self'", "'unsafe-inline'"]})
def docs(request: HttpRequest) -> HttpResponse:
    """Show the description as a page; scripts and styles come from this host."""
    return Swagger().render_page(request, api)


def nothing_here(request: HttpRequest) -> HttpResponse:
    """Answer any other address below /api/ in the form of the API."""
    return _not_found(request, Http404())


urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/docs", docs, name="api-docs"),
    path("v1/partner/", partners.urls),
    path("v1/", api.urls),
    re_path(r"", nothing_here),
]
