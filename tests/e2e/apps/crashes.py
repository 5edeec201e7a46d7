"""An application that crashes its process while it is imported."""

import os
import signal

os.kill(os.getpid(), signal.SIGSEGV)
