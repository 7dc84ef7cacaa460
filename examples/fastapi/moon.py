"""The moon on any night, from one new moon and the length of a month. Good to within half a day."""

import datetime
import math

from pydantic import BaseModel

# A new moon, and how long it is until the next one.
NEW_MOON = datetime.datetime(2000, 1, 6, 18, 14, tzinfo=datetime.timezone.utc)
SYNODIC_DAYS = 29.530588853

# The nights until the moon looks the same again.
MONTH = 30

NAMES = [
    "New moon",
    "Waxing crescent",
    "First quarter",
    "Waxing gibbous",
    "Full moon",
    "Waning gibbous",
    "Last quarter",
    "Waning crescent",
]


class Moon(BaseModel):
    date: datetime.date
    # Where the moon is on its way from one new moon (0) to the next (1).
    phase: float
    # How much of what we see of it is lit, from 0 to 1.
    lit: float
    name: str

    @classmethod
    def on(cls, date: datetime.date) -> "Moon":
        midnight = datetime.datetime.combine(date, datetime.time(), tzinfo=datetime.timezone.utc)
        age = (midnight - NEW_MOON) / datetime.timedelta(days=1) % SYNODIC_DAYS
        phase = age / SYNODIC_DAYS
        lit = (1 - math.cos(2 * math.pi * phase)) / 2
        return cls(date=date, phase=round(phase, 4), lit=round(lit, 4), name=NAMES[round(phase * 8) % 8])
