"""The WebSocket of those who look at the board."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer

GROUP = "board"


class Reader(AsyncJsonWebsocketConsumer):
    groups = [GROUP]  # joined before connect, left after disconnect

    async def connect(self):
        """Lets in who has a name in the session, and tells the others."""
        self.name = self.scope["session"].get("name")
        if not self.name:
            await self.close()  # before accept: the client gets 403
            return
        await self.accept()
        await self.channel_layer.group_send(GROUP, {"type": "came", "name": self.name})

    async def receive_json(self, content, **_):
        """Tells the others that this one is about to write something."""
        if content == {"kind": "writes"}:
            await self.channel_layer.group_send(GROUP, {"type": "writes", "name": self.name})

    async def tell(self, event):
        """What the group is sent goes to the browser."""
        await self.send_json({"kind": event["type"], "name": event["name"], "text": event.get("text", "")})

    said = came = writes = tell
