import os

from contract import watched

os.environ["TRAC_ENV"] = os.path.join(os.environ["SCRATCH"], "trac")

from trac.web.main import dispatch_request  # noqa: E402  (reads TRAC_ENV)

application = watched(dispatch_request)
