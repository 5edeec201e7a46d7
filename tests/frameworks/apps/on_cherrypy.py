import cherrypy
from cherrypy.lib.static import serve_file

from contract import CONTENT, fail, greeting, greeting_url, told, watched


class Site:
    @cherrypy.expose
    def index(self, name):
        cherrypy.response.headers["Content-Type"] = "text/plain; charset=utf-8"
        return greeting(name).encode()

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    def form(self, name):
        raise cherrypy.HTTPRedirect(greeting_url(name))

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    def upload(self, file):
        return told(file.filename, file.file)

    @cherrypy.expose
    def file(self):
        return serve_file(CONTENT, "application/octet-stream")

    @cherrypy.expose
    def error(self):
        fail()


cherrypy.config.update({"environment": "embedded", "log.screen": True})
application = watched(cherrypy.tree.mount(Site(), ""))
