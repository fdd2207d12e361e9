"""`/metrics`, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from prometheus_client.exposition import choose_encoder

from deepguard.service.metrics import make_registry

router = APIRouter(tags=["operation"])


def install(app: FastAPI) -> None:
    """Give the application a registry of its own, and let it count what it answers."""
    registry, requests = make_registry(app.state.parts)

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        requests.labels(method, route, f"{status // 100}xx").observe(seconds)

    app.state.metrics = registry
    app.state.observers = [*getattr(app.state, "observers", ()), observe]


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
def metrics(request: Request) -> Response:
    """Answer with all metrics; parts that are down are told by `..._up 0`, not by an error."""
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(request.app.state.metrics), media_type=media_type)
