"""The addresses of diversion, under /console/diversion."""

from django.urls import path

from console.diversion import calibration_views, coverage_views, finding_views, map_views, route_views

urlpatterns = [
    path("diversion", finding_views.findings, name="diversion-findings"),
    path("diversion/map", map_views.diversion_map, name="diversion-map"),
    path("diversion/map/base.json", map_views.outlines, name="diversion-map-base"),
    path("diversion/routes", route_views.routes, name="diversion-routes"),
    path("diversion/calibration", calibration_views.verdicts, name="diversion-calibration"),
    path("diversion/coverage", coverage_views.coverage, name="diversion-coverage"),
]
