"""An application whose import makes an event loop, and begins a task in it: gobridge run early:application"""

import asyncio
import json

RUNS = []


async def run():
    while True:
        RUNS.append(1)
        await asyncio.sleep(0.01)


try:
    LOOP = asyncio.get_event_loop()
except RuntimeError:  # from 3.14 on nobody makes one unasked
    LOOP = asyncio.new_event_loop()
    asyncio.set_event_loop(LOOP)
TASK = LOOP.create_task(run())
LOCK = asyncio.Lock()


async def hold():
    async with LOCK:
        await asyncio.sleep(0.001)


async def application(scope, receive, send):
    """Is this that loop, does the task run, and can several have the lock?"""
    if scope["type"] == "lifespan":
        raise NotImplementedError
    before = len(RUNS)
    await asyncio.sleep(0.1)
    held = await asyncio.gather(hold(), hold(), return_exceptions=True)
    seen = [asyncio.get_running_loop() is LOOP, len(RUNS) > before, held == [None, None]]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
