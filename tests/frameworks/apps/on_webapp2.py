import webapp2
import webob.static

from contract import CONTENT, fail, greeting, greeting_url, told, watched


class Greeting(webapp2.RequestHandler):
    def get(self):
        self.response.content_type = "text/plain"
        self.response.write(greeting(self.request.get("name")))


class Form(webapp2.RequestHandler):
    def post(self):
        self.redirect(greeting_url(self.request.get("name")))


class Upload(webapp2.RequestHandler):
    def post(self):
        file = self.request.POST["file"]
        self.response.write(told(file.filename, file.file))


class File(webapp2.RequestHandler):
    def get(self):
        return self.request.get_response(webob.static.FileApp(CONTENT))


class Error(webapp2.RequestHandler):
    def get(self):
        fail()


application = watched(webapp2.WSGIApplication(
    [("/", Greeting), ("/form", Form), ("/upload", Upload), ("/file", File), ("/error", Error)]
))
