"""The addresses of diversion, under /console/diversion."""

from django.urls import path

from console.diversion import (
    calibration_views,
    code_views,
    coverage_views,
    finding_views,
    map_views,
    route_views,
    shipment_views,
)

urlpatterns = [
    path("diversion", finding_views.findings, name="diversion-findings"),
    path("diversion/map", map_views.diversion_map, name="diversion-map"),
    path("diversion/map/base.json", map_views.outlines, name="diversion-map-base"),
    path("diversion/routes", route_views.routes, name="diversion-routes"),
    path("diversion/calibration", calibration_views.verdicts, name="diversion-calibration"),
    path("diversion/coverage", coverage_views.coverage, name="diversion-coverage"),
    path("diversion/shipments/<slug:public_id>", shipment_views.shipment, name="diversion-shipment"),
    path("diversion/shipments/<slug:public_id>/file", shipment_views.open_file, name="diversion-open-file"),
    path("diversion/codes", code_views.codes, name="diversion-codes"),
    path("diversion/codes/<str:serial>/confirm", code_views.code_confirm, name="diversion-code-confirm"),
    path("diversion/codes/<str:serial>/clear", code_views.code_clear, name="diversion-code-clear"),
    path("diversion/farms", code_views.farms, name="diversion-farms"),
    path("diversion/farms/<slug:public_id>/hold", code_views.farm_hold, name="diversion-farm-hold"),
    path("diversion/farms/<slug:public_id>/lift", code_views.farm_lift, name="diversion-farm-lift"),
]
