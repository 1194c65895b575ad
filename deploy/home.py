"""HOME_DIR: where one platform on one machine keeps everything it must not forget.

secrets.json       passwords, the token secret, the pepper of keys, the operator secret (mode 0600)
key                the first API key, printed at every start (mode 0600)
lock               held while a platform uses this folder
postgres/          the database cluster, or a link to it where root's folder is out of the server's reach
logs/  run/        of the processes that `make up` starts
"""

import fcntl
import json
import os
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

_LETTERS = string.ascii_letters + string.digits
_SECRET_LENGTH = 43  # 256 bits in base62
OPERATOR_PREFIX = "trl_oper_"


class HomeFailed(Exception):
    """The folder for the data cannot be used."""


def new_secret() -> str:
    """256 random bits in letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_SECRET_LENGTH))


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only this platform knows; made once, at the first start."""

    postgres_password: str = field(default_factory=new_secret)
    token_secret: str = field(default_factory=new_secret)
    key_pepper: str = field(default_factory=new_secret)
    operator_secret: str = field(default_factory=lambda: OPERATOR_PREFIX + new_secret())
    role_password: str = field(default_factory=new_secret)
    """Each database role's password is derived from this one."""

    def __repr__(self) -> str:
        return "Secrets(…)"


@dataclass(frozen=True, slots=True)
class Home:
    """An opened HOME_DIR."""

    path: Path
    secrets: Secrets

    @property
    def postgres(self) -> Path:
        """The folder of the database cluster."""
        return self.path / "postgres"

    @property
    def logs(self) -> Path:
        """The folder of log files."""
        return _folder(self.path / "logs")

    @property
    def run(self) -> Path:
        """The folder of process ids."""
        return _folder(self.path / "run")

    @property
    def key(self) -> str | None:
        """The first API key, once there is one."""
        try:
            return (self.path / "key").read_text().strip() or None
        except FileNotFoundError:
            return None

    def keep_key(self, key: str) -> None:
        """Remembers the key that is printed at every start."""
        write_private(self.path / "key", key + "\n")


@contextmanager
def locked(path: Path) -> Iterator[Home]:
    """HOME_DIR for one platform alone; made, with its secrets, when it is new."""
    home = opened(path)
    with open(os.open(home.path / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = lock.read().strip()
            raise HomeFailed(
                f"another Trellis{f' (process {holder})' if holder else ''} uses {home.path}; "
                "stop it, or give this one a folder of its own with HOME_DIR="
            ) from None
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield home
        finally:
            lock.seek(0)
            lock.truncate()


def opened(path: Path) -> Home:
    """HOME_DIR with its secrets, made when it is new; without the lock, for reading beside a running platform."""
    path = path.expanduser().resolve()
    try:
        if not path.exists():
            path.mkdir(parents=True)
            # Root's server runs as another account, which must be able to pass; nothing in here is readable to it.
            path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        return Home(path, _secrets(path / "secrets.json"))
    except NotADirectoryError:
        raise HomeFailed(f"{path} is not a folder") from None
    except PermissionError as error:
        raise HomeFailed(f"{path} cannot be used: no permission for {error.filename}") from None


def _secrets(file: Path) -> Secrets:
    if not file.exists():
        write_private(file, json.dumps(asdict(Secrets()), indent=2) + "\n")
    try:
        return Secrets(**json.loads(file.read_text()))
    except (ValueError, TypeError):
        raise HomeFailed(f"{file} is damaged; put a copy of it back, for the passwords in it open the data") from None


def write_private(path: Path, text: str) -> None:
    """Writes a file of mode 0600, wholly or not at all, and durably."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    return path
