"""`GET /metrics`, for Prometheus."""

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from ..metrics import Metrics


def metrics_routes(metrics: Metrics) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["gemma4"])

    @router.get("/metrics")
    def text() -> Response:
        """Counters in Prometheus' text form."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router
