"""Makes a Trac project in which everybody may do everything, with a page that fails."""

import os

from trac.admin.console import TracAdmin

FAILING = """
from contract import fail
from trac.core import Component, implements
from trac.web.api import IRequestHandler


class Failing(Component):
    implements(IRequestHandler)

    def match_request(self, req):
        return req.path_info == "/error"

    def process_request(self, req):
        fail()
"""

project = os.path.join(os.environ["SCRATCH"], "trac")
admin = TracAdmin(project)
for command in (
    "initenv test sqlite:db/trac.db",
    "config set logging log_type stderr",
    "config set logging log_level ERROR",
    "permission add anonymous TRAC_ADMIN",
):
    if admin.onecmd(command):
        raise SystemExit(f"trac-admin {command} failed")
with open(os.path.join(project, "plugins", "failing.py"), "w") as f:
    f.write(FAILING)
