"""Running a service: its server, its relay, its listeners and its jobs in one TaskGroup. One dies, all stop."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp

from shared.bus.bus import Bus
from shared.db import Database
from shared.events import type_of
from shared.inbox import Consumer, Listens
from shared.joining import JoinedAnswers
from shared.migrate import check_row_level_security
from shared.outbox import Relay

Result = TypeVar("Result")

log = structlog.get_logger("runtime")


@dataclass(frozen=True, slots=True)
class Service:
    """What `services.<name>.main.build` puts together. `closing` is called when the service stops."""

    name: str
    app: FastAPI
    database: Database
    listens: Sequence[Listens] = ()
    jobs: Sequence[Callable[[], Awaitable[None]]] = ()
    closing: Sequence[Callable[[], Awaitable[None]]] = field(default=())


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the platform stops all of its services together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serving_of(app: ASGIApp) -> uvicorn.Config:
    """How an application is served. The address that connects is who asks: no header says otherwise."""
    return uvicorn.Config(
        app,
        http=JoinedAnswers,
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        timeout_keep_alive=30,
    )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. OSError when the port is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


async def run(service: Service, bus: Bus, listening: socket.socket) -> None:
    """Serve until cancelled, or until one of its parts fails."""
    service.app.state.listens = [type_of(one.event) for one in service.listens]
    server = _Server(serving_of(service.app))
    consumer = Consumer(service.name, service.database, service.listens, bus)
    serving: asyncio.Task[None] | None = None
    try:
        await check_row_level_security(service.database.dsn)
        async with asyncio.TaskGroup() as parts:
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            parts.create_task(_until_done(serving, service.name))
            parts.create_task(Relay(service.database, bus).run())
            parts.create_task(consumer.run())
            for job in service.jobs:
                parts.create_task(_forever(job))
            log.info("service runs", service=service.name, port=listening.getsockname()[1])
    finally:
        server.should_exit = True
        server.force_exit = True
        if serving is not None:
            await asyncio.wait([serving], timeout=3)
        for close in service.closing:
            await close()
        await service.database.close()


async def _until_done(serving: "asyncio.Task[None]", name: str) -> None:
    await asyncio.shield(serving)
    raise RuntimeError(f"the server of {name} stopped")


async def _forever(job: Callable[[], Awaitable[None]]) -> None:
    await job()
    raise RuntimeError("a job that runs for ever ended")


def run_until_complete(work: Coroutine[Any, Any, Result]) -> Result:
    """What the work comes to, on the event loop that platforms and services run on."""
    return uvloop.run(work)


def until_told() -> asyncio.Event:
    """Set by SIGINT or SIGTERM."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    return told
