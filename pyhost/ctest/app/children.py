"""What hello.py's children run. A spawned one imports this anew."""
import time


def run(pipe):
    pipe.send("running")
    time.sleep(60)
