"""The two versions of OneRoster that are spoken, and where their services live."""

from enum import StrEnum

PREFIX = "/ims/oneroster"


class Version(StrEnum):
    """A version of the standard."""

    V11 = "1.1"
    V12 = "1.2"


class Service(StrEnum):
    """One of the standard's services; 1.1 has all of them under one base."""

    ROSTERING = "rostering"
    GRADEBOOK = "gradebook"
    RESOURCES = "resources"


BOTH = frozenset(Version)
ONLY_11 = frozenset({Version.V11})
ONLY_12 = frozenset({Version.V12})


def base_of(service: Service, version: Version) -> str:
    """The path under which this service's objects are found."""
    return f"{PREFIX}/v1p1" if version is Version.V11 else f"{PREFIX}/{service}/v1p2"
