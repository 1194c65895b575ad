"""Connections are counted before they are opened."""

import pytest
from fastapi import FastAPI

from deploy.connections import TooManyConnections, check, needed
from shared.db import Database
from shared.events_pb.trellis.events.roster.v1 import roster_pb2
from shared.inbox import Listens
from shared.runtime import Service


async def nothing(*_: object) -> None:
    """Hears a fact and does nothing."""


def a_service(name: str, pool_size: int, *, listens: bool = False) -> Service:
    heard = (Listens(roster_pb2.StudentsPlaced, nothing),) if listens else ()
    return Service(name, FastAPI(), Database("postgresql://u:p@127.0.0.1:1/d", name=name, pool_size=pool_size), heard)


def test_a_listener_on_the_embedded_bus_needs_a_connection_to_every_producer() -> None:
    services = [a_service("roster", 5), a_service("mastery", 5, listens=True)]

    assert needed(services, embedded=True) == needed(services, embedded=False) + 1


def test_pools_that_fit_are_accepted() -> None:
    check([a_service("roster", 5), a_service("mastery", 5)], 31, embedded=False)


def test_those_who_look_and_the_one_for_bulk_are_counted_beside_the_pool() -> None:
    small, large = a_service("roster", 5), a_service("roster", 6)

    assert needed([large], embedded=False) - needed([small], embedded=False) == 2
    assert needed([small], embedded=False) == 5 + 5 + 1 + 3


def test_pools_larger_than_the_server_allows_are_refused_with_the_setting_to_change() -> None:
    with pytest.raises(
        TooManyConnections, match=r"up to 128 connections, PostgreSQL allows 127.*TRELLIS_<SERVICE>_POOL"
    ):
        check([a_service("roster", 30), a_service("mastery", 30)], 130, embedded=False)
