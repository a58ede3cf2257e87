"""All routes of Ollama's protocol."""

from fastapi import APIRouter

from ..desk import Desk
from .chat import chat_routes
from .embed import embed_routes
from .generate import generate_routes
from .models import model_routes
from .pull import pull_routes
from .store import store_routes


def ollama_routes(desk: Desk) -> APIRouter:
    """The routes, all under `/api`."""
    router = APIRouter()
    for routes in (
        chat_routes,
        generate_routes,
        embed_routes,
        model_routes,
        pull_routes,
        store_routes,
    ):
        router.include_router(routes(desk))
    return router
