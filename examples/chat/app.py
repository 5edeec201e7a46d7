"""A chat room, with Starlette: gobridge run app:app --workers 1

Everybody in the room is in the memory of one worker; see README.md for several.
"""

import json
import time
from collections import deque
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

HERE = Path(__file__).resolve().parent
LONGEST_NAME, LONGEST_TEXT = 30, 2000  # characters


class Room:
    """Who is here, and what was said of late."""

    def __init__(self):
        self.members: dict[WebSocket, str] = {}
        self.said = deque(maxlen=50)

    async def enter(self, socket: WebSocket, name: str):
        for message in list(self.said):
            await socket.send_json(message)
        self.members[socket] = name
        await self.tell_who_is_here()

    async def leave(self, socket: WebSocket):
        if self.members.pop(socket, None) is not None:
            await self.tell_who_is_here()

    async def say(self, name: str, text: str):
        message = {"kind": "said", "name": name, "text": text, "time": int(time.time())}
        self.said.append(message)
        await self.send_to_all(message)

    async def tell_who_is_here(self):
        await self.send_to_all({"kind": "here", "names": sorted(self.members.values())})

    async def send_to_all(self, message):
        text = json.dumps(message)
        for socket in list(self.members):
            try:
                await socket.send_text(text)
            except (OSError, WebSocketDisconnect):
                self.members.pop(socket, None)  # its own task will notice too


room = Room()


async def page(request):
    return FileResponse(HERE / "page.html")


async def talk(socket: WebSocket):
    """One member, from entering to leaving: ws://.../talk?name=Ada"""
    name = socket.query_params.get("name", "").strip()[:LONGEST_NAME]
    if not name:
        await socket.close(1008, "who are you?")  # before accept: the client gets 403
        return
    await socket.accept()
    try:
        await room.enter(socket, name)
        async for text in socket.iter_text():
            if text.strip():
                await room.say(name, text[:LONGEST_TEXT])
    except (OSError, WebSocketDisconnect):
        pass
    finally:
        await room.leave(socket)


app = Starlette(routes=[Route("/", page), WebSocketRoute("/talk", talk)])
