"""What is where."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.views import serve as serve_static
from django.urls import include, path, re_path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view(template_name="notes/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    # Django finds the admin's style sheets in its own package and sends them itself
    # ("insecure" means: also with DEBUG off). A busy site lets nginx do that.
    re_path(r"^static/(?P<path>.*)$", serve_static, {"insecure": True}),
    path("", include("notes.urls")),
]
