import os

import web

from contract import CONTENT, fail, greeting, greeting_url, told, watched


class Greeting:
    def GET(self):
        web.header("Content-Type", "text/plain; charset=utf-8")
        return greeting(web.input().name)


class Form:
    def POST(self):
        raise web.seeother(greeting_url(web.input().name))


class Upload:
    def POST(self):
        file = web.input(file={}).file
        return told(file.filename, file.file)


class File:
    def GET(self):
        web.header("Content-Type", "application/octet-stream")
        web.header("Content-Length", str(os.path.getsize(CONTENT)))
        with open(CONTENT, "rb") as f:
            while piece := f.read(1 << 16):
                yield piece


class Error:
    def GET(self):
        fail()


web.config.debug = False
urls = ("/", "Greeting", "/form", "Form", "/upload", "Upload", "/file", "File", "/error", "Error")
application = watched(web.application(urls, globals()).wsgifunc())
