"""The moon as a small API. What is in `public/` answers by itself; everything else comes here."""

import asyncio
import datetime
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Query
from fastapi.responses import StreamingResponse

from moon import MONTH, Moon

# How long the page waits between two nights of a month that passes before its eyes.
NIGHT_SECONDS = 0.03


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Runs once before the first request, and once after the last."""
    app.state.awake_since = datetime.datetime.now(datetime.timezone.utc)
    yield
    print("good night")


app = FastAPI(title="Moon", lifespan=lifespan, docs_url="/api/docs", openapi_url="/api/openapi.json")


def today() -> datetime.date:
    return datetime.datetime.now(datetime.timezone.utc).date()


@app.get("/api/moon")
def moon(date: datetime.date | None = None) -> Moon:
    """The moon of one night. A date that is none is answered with 422 and what is wrong with it."""
    return Moon.on(date or today())


@app.get("/api/month")
def month(date: datetime.date | None = None, nights: int = Query(default=MONTH, ge=1, le=366)) -> StreamingResponse:
    """The moons of the nights from a date on, one line of JSON each, sent one after the other."""
    first = date or today()

    async def lines() -> AsyncIterator[str]:
        for night in range(nights):
            yield json.dumps(Moon.on(first + datetime.timedelta(days=night)).model_dump(mode="json")) + "\n"
            await asyncio.sleep(NIGHT_SECONDS)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@app.get("/api/awake")
def awake() -> dict[str, datetime.datetime]:
    """Since when this instance has been running. It sleeps when nobody asks."""
    return {"since": app.state.awake_since}
