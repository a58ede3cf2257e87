"""All routes of a server put together, and what every request passes before it reaches one."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from ..tools.box import Toolbox
from .anthropic.routes import anthropic_routes
from .desk import Desk
from .errors import handle_errors
from .journal import make_journal
from .metrics import Metrics
from .middleware.account import Account
from .middleware.body import BodyReader
from .middleware.hangup import CancelOnHangup
from .middleware.hosts import HostGuard, is_loopback
from .middleware.keys import ApiKeys
from .middleware.paths import TolerantPaths
from .middleware.rates import Rates
from .models import Models
from .ollama.home import home_routes
from .ollama.routes import ollama_routes
from .openai.chat import chat_routes
from .openai.completions import completion_routes
from .openai.embeddings import embedding_routes
from .openai.models import model_routes
from .openai.responses.routes import responses_routes
from .openai.transcriptions import transcription_routes
from .own.health import health_routes
from .own.loading import loading_routes
from .own.metrics import metrics_routes
from .own.props import property_routes
from .own.tokens import token_routes
from .own.tools import tools_routes
from .page import PageFiles, page_response
from .settings import ServeSettings


def make_app(
    models: Models,
    settings: ServeSettings,
    *,
    journal: logging.Logger | None = None,
    toolbox: Toolbox | None = None,
) -> FastAPI:
    """The application.

    Args:
        journal: gets a line for each request.
        toolbox: tools that the server's page may call; closed by whoever made it.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        models.begin()
        yield

    app = FastAPI(
        title="gemma4", docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan
    )
    desk, metrics = Desk(models, settings), Metrics()
    metrics.watch(models)
    handle_errors(app)
    for make in (
        chat_routes,
        completion_routes,
        embedding_routes,
        transcription_routes,
        model_routes,
        anthropic_routes,
        responses_routes,
    ):
        routes = make(desk)
        app.include_router(routes, prefix="/v1")
        app.include_router(routes, include_in_schema=False)
    for make in (health_routes, loading_routes, property_routes, token_routes, ollama_routes):
        app.include_router(make(desk))
    app.include_router(tools_routes(toolbox or Toolbox()))
    app.include_router(home_routes(page=page_response))
    app.mount("/web", PageFiles())
    if settings.metrics:
        app.include_router(metrics_routes(metrics))
    _surround(app, settings, metrics, journal or make_journal(None))
    return app


def _surround(
    app: FastAPI, settings: ServeSettings, metrics: Metrics, journal: logging.Logger
) -> None:
    """What stands around the routes, the innermost first."""
    access, limits = settings.access, settings.limits
    hosts = access.hosts or (() if is_loopback(settings.host) else ("*",))
    app.add_middleware(CancelOnHangup, limits=limits)
    app.add_middleware(BodyReader, limits=limits)
    app.add_middleware(Rates, limits=limits)
    app.add_middleware(ApiKeys, hashes=access.key_hashes)
    app.add_middleware(HostGuard, hosts=hosts, origins=access.origins)
    if access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=access.origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
        )
    app.add_middleware(Account, metrics=metrics, journal=journal, keeps_text=settings.log_prompts)
    app.add_middleware(TolerantPaths)
