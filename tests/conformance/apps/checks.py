"""The application that the checks of WSGI ask: gobridge run checks:application"""

import variables  # noqa: F401  each of these adds its pages
import starting  # noqa: F401
import bodies  # noqa: F401
import inputs  # noqa: F401
import files  # noqa: F401
import faults  # noqa: F401
import pep  # noqa: F401
from common import PAGES
from validated import application as validated


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in PAGES:
        return PAGES[path](environ, start_response)
    if path.startswith("/validated/"):
        environ["PATH_INFO"] = path[len("/validated"):]
        return validated(environ, start_response)
    return PAGES["/variables"](environ, start_response)
