"""Which platform a command speaks to, and with what: options first, then the environment, then HOME_DIR."""

import os
from pathlib import Path

from deploy.cli.door import DoorError
from deploy.home import Home, opened, write_private

DEFAULT_URL = "http://127.0.0.1:8000"


def default_home() -> Path:
    """HOME_DIR, or the folder that make uses."""
    return Path(os.environ.get("HOME_DIR") or Path.home() / ".trellis")


def keep_url(home: Home, url: str) -> None:
    """Remember where the platform of this folder answers, for the commands that come after."""
    write_private(home.path / "url", url + "\n")


def url_of(given: str | None, home: Path) -> str:
    """The platform's address."""
    return given or os.environ.get("TRELLIS_URL") or _kept(home, "url") or DEFAULT_URL


def key_of(given: str | None, home: Path) -> str:
    """The API key to use."""
    key = given or os.environ.get("TRELLIS_KEY") or _kept(home, "key")
    if key is None:
        raise DoorError(f"no API key: give --key or TRELLIS_KEY; there is none in {home} (HOME_DIR)")
    return key


def operator_secret(home: Path) -> str:
    """What makes and lists districts: held by whoever runs the platform."""
    if secret := os.environ.get("TRELLIS_OPERATOR_SECRET"):
        return secret
    if not (home.expanduser() / "secrets.json").exists():
        raise DoorError(f"no operator secret: set TRELLIS_OPERATOR_SECRET; there is none in {home} (HOME_DIR)")
    return opened(home).secrets.operator_secret


def _kept(home: Path, name: str) -> str | None:
    try:
        return (home.expanduser() / name).read_text().strip() or None
    except OSError:
        return None
