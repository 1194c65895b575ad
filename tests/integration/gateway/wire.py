"""The gateway and the services of a small world on loopback, each behind a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from services.gateway.main import build_app
from services.gateway.oneroster.passage import Passage
from shared.auth import Tokens
from shared.client import ServiceClient
from shared.db import Database
from shared.runtime import bind, serving_of
from tests.integration.gateway.conftest import OPERATOR, PEPPER
from tests.unit.gateway.world import NAMES, SECRET, World, service


@asynccontextmanager
async def served(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """An application on a port of loopback; its address."""
    listening = bind("127.0.0.1", port)
    server = uvicorn.Server(serving_of(app))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await serving


@asynccontextmanager
async def gateway_on_the_wire(
    database: Database,
    world: World,
    *,
    port: int = 0,
    dress: Callable[[FastAPI], FastAPI] = lambda app: app,
    **how: Any,
) -> AsyncIterator[str]:
    """The gateway's address; `dress` may change what the services are."""
    async with AsyncExitStack() as stack:
        clients = {}
        for name in NAMES:
            address = await stack.enter_async_context(served(dress(service(name, world))))
            clients[name] = ServiceClient(address, Tokens(SECRET))
            stack.push_async_callback(clients[name].close)
            if name == "roster":
                passage = Passage(address, Tokens(SECRET))
                stack.push_async_callback(passage.close)
        app = build_app(database, clients, passage=passage, pepper=PEPPER, operator_secret=OPERATOR, **how)
        yield await stack.enter_async_context(served(app, port))
