"""PROVIDER.toml: which OneRoster provider a roster is pulled from, and as whom."""

import os
import tomllib
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from deploy.cli.refusal import Refused
from deploy.cli.roster.collections import COLLECTIONS, Collection

Version = Literal["1.1", "1.2"]

SCOPES = tuple(
    f"https://purl.imsglobal.org/spec/or/v1p2/scope/{name}"
    for name in ("roster.readonly", "roster-demographics.readonly", "gradebook.readonly", "resource.readonly")
)
_SCOPES_1_1 = tuple(
    f"https://purl.imsglobal.org/spec/or/v1p1/scope/{name}"
    for name in ("roster.readonly", "roster-demographics.readonly", "gradebook.readonly", "resource.readonly")
)
_KNOWN = ("url", "version", "token_url", "client_id", "secret_env", "scopes", "collections", "limit")
_NEEDED = ("url", "version", "token_url", "client_id", "secret_env")
_MOST_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """A provider, as the district's own file describes it; the secret itself is only in the environment."""

    file: Path
    url: str
    version: Version
    token_url: str
    client_id: str
    secret_env: str
    scopes: tuple[str, ...]
    collections: tuple[Collection, ...]
    limit: int

    @property
    def secret(self) -> str:
        """The client's secret, from the environment. Raises: Refused."""
        secret = os.environ.get(self.secret_env)
        if not secret:
            raise Refused(f"{self.file}: the environment variable {self.secret_env} holds no client secret.")
        return secret


def read_config(file: Path) -> ProviderConfig:
    """What the file says. Raises: Refused, naming the setting."""
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise Refused(f"{file}: no TOML: {wrong}.") from wrong
    for name in said:
        if name not in _KNOWN:
            raise Refused(f"{file}: {name} is no setting; there are {', '.join(_KNOWN)}.")
    for name in _NEEDED:
        if not isinstance(said.get(name), str) or not said[name].strip():
            raise Refused(f"{file}: {name} is needed, as text.")
    version = _version(file, said["version"])
    return ProviderConfig(
        file,
        _base(_address(file, "url", said["url"])),
        version,
        _address(file, "token_url", said["token_url"]),
        said["client_id"],
        said["secret_env"],
        _texts(file, said, "scopes") or (SCOPES if version == "1.2" else _SCOPES_1_1),
        _collections(file, version, _texts(file, said, "collections")),
        _limit(file, said.get("limit", 1_000)),
    )


def _version(file: Path, said: str) -> Version:
    match said:
        case "1.1" | "1.2":
            return said
    raise Refused(f'{file}: version is "1.1" or "1.2", not "{said}".')


def _address(file: Path, name: str, said: str) -> str:
    parts = urlsplit(said)
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise Refused(f"{file}: {name} is no address: {said}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Refused(f"{file}: {name} holds more than a scheme, a host and a path.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise Refused(f"{file}: {name} must begin with https://: names of children and a secret travel there.")
    return said.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether this host is this machine: only there may anything travel unencrypted."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _base(url: str) -> str:
    """What comes before the standard's own path, should somebody have given the path too."""
    return url.partition("/ims/oneroster")[0]


def _texts(file: Path, said: dict[str, Any], name: str) -> tuple[str, ...]:
    value = said.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise Refused(f"{file}: {name} is a list of texts.")
    return tuple(value)


def _collections(file: Path, version: Version, names: tuple[str, ...]) -> tuple[Collection, ...]:
    there = COLLECTIONS[version]
    for name in names:
        if name not in {one.name for one in there}:
            raise Refused(f"{file}: there is no collection {name}; there are {', '.join(one.name for one in there)}.")
    return tuple(one for one in there if not names or one.name in names)


def _limit(file: Path, said: object) -> int:
    if not isinstance(said, int) or isinstance(said, bool) or not 1 <= said <= _MOST_AT_ONCE:
        raise Refused(f"{file}: limit is a number from 1 to {_MOST_AT_ONCE:,}.")
    return said
