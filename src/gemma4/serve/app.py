"""All routes of a server put together."""

from fastapi import FastAPI

from .desk import Desk
from .errors import handle_errors
from .models import Models
from .openai.chat import chat_routes
from .openai.completions import completion_routes
from .openai.embeddings import embedding_routes
from .openai.models import model_routes
from .openai.transcriptions import transcription_routes
from .own.health import health_routes
from .own.props import property_routes
from .own.tokens import token_routes
from .settings import ServeSettings


def make_app(models: Models, settings: ServeSettings) -> FastAPI:
    """The application over loaded models."""
    app = FastAPI(title="gemma4", docs_url=None, redoc_url=None)
    desk = Desk(models, settings)
    handle_errors(app)
    for make in (
        chat_routes,
        completion_routes,
        embedding_routes,
        transcription_routes,
        model_routes,
    ):
        routes = make(desk)
        app.include_router(routes, prefix="/v1")
        app.include_router(routes, include_in_schema=False)
    for make in (health_routes, property_routes, token_routes):
        app.include_router(make(desk))
    return app
