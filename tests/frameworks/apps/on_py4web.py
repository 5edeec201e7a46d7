import os

from py4web.core import wsgi

from contract import watched

apps = os.path.join(os.environ["SCRATCH"], "apps")
application = watched(wsgi(apps_folder=apps, yes=True, dashboard_mode="none", errorlog=":stderr"))
