"""Notes with files, from FastAPI: gobridge run app:app

A database behind a dependency, an API key behind another, uploads, and a WebSocket that tells of
new notes. Any number of workers may serve it: what they share is in the database.
"""

import asyncio
import os
import secrets
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Annotated, Iterator

from fastapi import Depends, FastAPI, Header, HTTPException, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, RedirectResponse
from pydantic import BaseModel, Field

DATA = Path(os.environ.get("DATA_DIR", Path(__file__).resolve().parent / "data"))
# A fixed key would let anyone in who has read this, so a real site sets it in the environment.
API_KEY = os.environ.get("API_KEY", "only for trying the example")
LOOK = 0.2  # seconds between two looks for new notes

SCHEMA = """
CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, text TEXT NOT NULL, file TEXT)
"""


def connect() -> sqlite3.Connection:
    # One request uses it at a time, but perhaps from several threads: that of the dependency and that of the endpoint.
    connection = sqlite3.connect(DATA / "notes.sqlite3", timeout=20, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


@asynccontextmanager
async def lifespan(app: FastAPI):
    """Runs in each worker before its first request."""
    DATA.mkdir(parents=True, exist_ok=True)
    with closing(connect()) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(SCHEMA)
    yield


app = FastAPI(title="Notes", lifespan=lifespan)


# ---- Dependencies


def database() -> Iterator[sqlite3.Connection]:
    """A connection for one request, whose changes last if its endpoint succeeds."""
    with closing(connect()) as connection:
        with connection:
            yield connection


def with_key(x_api_key: Annotated[str, Header()]) -> None:
    """Lets in who knows the key."""
    if not secrets.compare_digest(x_api_key.encode(), API_KEY.encode()):
        raise HTTPException(403, "the header X-API-Key has another key")


# The scope "function" has the transaction end before the answer goes out, so that who has it finds the change.
Database = Annotated[sqlite3.Connection, Depends(database, scope="function")]
protected = [Depends(with_key)]


# ---- What goes over the wire


class NewNote(BaseModel):
    title: str = Field(min_length=1, max_length=100)
    text: str = ""


class Note(NewNote):
    id: int
    file: str | None = None


def find(db: sqlite3.Connection, id: int) -> Note:
    row = db.execute("SELECT * FROM note WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise HTTPException(404, f"there is no note {id}")
    return Note(**row)


# ---- Endpoints. sqlite3 waits for the disk, so they are not async: FastAPI runs them in threads.


@app.get("/", include_in_schema=False)
def index():
    return RedirectResponse("/docs")


@app.get("/notes")
def search(db: Database, q: str = "") -> list[Note]:
    """All notes with a word in title or text."""
    rows = db.execute("SELECT * FROM note WHERE instr(title || ' ' || text, ?) OR ? = '' ORDER BY id", (q, q))
    return [Note(**row) for row in rows]


@app.post("/notes", status_code=201, dependencies=protected)
def add(note: NewNote, db: Database) -> Note:
    cursor = db.execute("INSERT INTO note (title, text) VALUES (?, ?)", (note.title, note.text))
    return find(db, cursor.lastrowid)


@app.get("/notes/{id}")
def read(id: int, db: Database) -> Note:
    return find(db, id)


@app.delete("/notes/{id}", status_code=204, dependencies=protected)
def delete(id: int, db: Database) -> None:
    find(db, id)
    db.execute("DELETE FROM note WHERE id = ?", (id,))
    path_of(id).unlink(missing_ok=True)


def path_of(id: int) -> Path:
    return DATA / f"file-{id}"


@app.put("/notes/{id}/file", dependencies=protected)
def attach(id: int, file: UploadFile, db: Database) -> Note:
    find(db, id)
    with open(path_of(id), "wb") as f:
        shutil.copyfileobj(file.file, f)
    db.execute("UPDATE note SET file = ? WHERE id = ?", (file.filename, id))
    return find(db, id)


@app.get("/notes/{id}/file")
def attachment(id: int, db: Database) -> FileResponse:
    """gobridge sends the file itself, while this worker does something else."""
    note = find(db, id)
    if note.file is None:
        raise HTTPException(404, f"note {id} has no file")
    return FileResponse(path_of(id), filename=note.file)


# ---- The WebSocket


def newer(id: int) -> list[Note]:
    with closing(connect()) as db:
        return [Note(**row) for row in db.execute("SELECT * FROM note WHERE id > ? ORDER BY id", (id,))]


def last() -> int:
    with closing(connect()) as db:
        return db.execute("SELECT coalesce(max(id), 0) FROM note").fetchone()[0]


@app.websocket("/live")
async def live(socket: WebSocket):
    """Tells of each note that is added from now on, whichever worker has added it."""
    seen = await asyncio.to_thread(last)
    await socket.accept()
    leaving = asyncio.create_task(gone(socket))
    try:
        while not leaving.done():
            for note in await asyncio.to_thread(newer, seen):
                await socket.send_text(note.model_dump_json())
                seen = note.id
            await asyncio.wait([leaving], timeout=LOOK)
    except WebSocketDisconnect:
        pass
    finally:
        leaving.cancel()


async def gone(socket: WebSocket):
    """Returns when the client leaves. Whatever it says is not listened to."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
