import os

import tg

from contract import CONTENT, fail, greeting, greeting_url, told, watched


class Root(tg.TGController):
    @tg.expose(content_type="text/plain")
    def index(self, name):
        return greeting(name)

    @tg.expose()
    def form(self, name):
        tg.redirect(greeting_url(name))

    @tg.expose(content_type="text/plain")
    def upload(self, file):
        return told(file.filename, file.file)

    @tg.expose()
    def error(self):
        fail()


config = tg.MinimalApplicationConfigurator()
config.register(tg.configurator.components.statics.StaticsConfigurationComponent)
config.update_blueprint({
    "root_controller": Root(),
    "paths": {"static_files": os.path.dirname(CONTENT)},
    "serve_static": True,
})
application = watched(config.make_wsgi_app())
