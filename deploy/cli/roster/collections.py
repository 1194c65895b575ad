"""The collections a roster is pulled from, where each version of OneRoster keeps them, and the files they become.

What refers to others is read before what it refers to: a class that is made while its district is read is then missing
from the enrolments, rather than from the classes that enrolments speak of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Service = Literal["rostering", "gradebook", "resources"]


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection: its name in the address, the name of its list in the answer, and the CSV file of its objects.

    `derived`: files that are made of what its objects carry within them.
    """

    name: str
    service: Service
    derived: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The CSV file its objects become; OneRoster calls both the same."""
        return self.name

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file, *self.derived)


_GRADEBOOK_1_1 = (
    Collection("results", "gradebook"),
    Collection("lineItems", "gradebook"),
    Collection("categories", "gradebook"),
)
_GRADEBOOK_1_2 = (
    Collection("results", "gradebook", ("resultLearningObjectiveIds", "resultScoreScales")),
    Collection("lineItems", "gradebook", ("lineItemLearningObjectiveIds", "lineItemScoreScales")),
    Collection("scoreScales", "gradebook"),
    Collection("categories", "gradebook"),
)
_USERS_1_2 = ("roles", "userProfiles", "userResources")


def _rostering(users: tuple[str, ...]) -> tuple[Collection, ...]:
    return (
        Collection("demographics", "rostering"),
        Collection("enrollments", "rostering"),
        Collection("users", "rostering", users),
        Collection("classes", "rostering", ("classResources",)),
        Collection("courses", "rostering", ("courseResources",)),
        Collection("academicSessions", "rostering"),
        Collection("orgs", "rostering"),
        Collection("resources", "resources"),
    )


COLLECTIONS: Mapping[str, tuple[Collection, ...]] = {
    "1.1": (*_GRADEBOOK_1_1, *_rostering(())),
    "1.2": (*_GRADEBOOK_1_2, *_rostering(_USERS_1_2)),
}
"""By version, in the order in which they are read."""


def path_of(version: str, collection: Collection) -> str:
    """Where a provider of this version keeps a collection, below its address."""
    if version == "1.1":
        return f"/ims/oneroster/v1p1/{collection.name}"
    return f"/ims/oneroster/{collection.service}/v1p2/{collection.name}"
