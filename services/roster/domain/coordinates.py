"""Latitude and longitude the wrong way round: found where they tell it themselves, never turned silently."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from statistics import median

EARTH_KM = 6371.0
FAR_KM = 1_000.0
NEAR_KM = 200.0
SOUTHERNMOST_SCHOOL = -60.0


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a row of the file says an organisation is, in degrees; neither need be possible."""

    latitude: float
    longitude: float
    is_school: bool = True

    @property
    def is_possible(self) -> bool:
        """There is such a place on Earth, and somebody may teach there."""
        return SOUTHERNMOST_SCHOOL <= self.latitude <= 90 and abs(self.longitude) <= 180

    @property
    def turned(self) -> "Spot":
        """The same with latitude and longitude exchanged."""
        return Spot(self.longitude, self.latitude, self.is_school)


def swapped(spots: Sequence[Spot]) -> list[int]:
    """The positions of those whose latitude is their longitude.

    Either no school can be there but one could where the exchanged values point; or it is more than 1,000 km from the
    middle (the median) of the file's schools, and the exchanged values are within 200 km of it.
    """
    impossible = {at for at, spot in enumerate(spots) if not spot.is_possible and spot.turned.is_possible}
    schools = [spot for spot in spots if spot.is_school and spot.is_possible]
    if not schools:
        return sorted(impossible)
    middle = Spot(median(spot.latitude for spot in schools), median(spot.longitude for spot in schools))
    return [
        at
        for at, spot in enumerate(spots)
        if at in impossible
        or (
            spot.is_possible
            and spot.turned.is_possible
            and distance_km(spot, middle) > FAR_KM
            and distance_km(spot.turned, middle) <= NEAR_KM
        )
    ]


def distance_km(one: Spot, other: Spot) -> float:
    """Great-circle distance on a sphere (haversine formula; Sinnott 1984, "Virtues of the haversine")."""
    north, south = radians(one.latitude), radians(other.latitude)
    half = sin((north - south) / 2) ** 2
    half += cos(north) * cos(south) * sin(radians(one.longitude - other.longitude) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))
