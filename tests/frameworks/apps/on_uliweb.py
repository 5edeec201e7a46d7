"""The project is in the folder uliweb_project, as uliweb makeproject lays it out."""

import os

from uliweb.manage import make_simple_application

from contract import watched

application = watched(make_simple_application(project_dir=os.path.abspath("uliweb_project")))
