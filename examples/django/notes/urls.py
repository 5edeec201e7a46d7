from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="notes"),
    path("add/", views.add, name="add"),
    path("file/<int:pk>/", views.download, name="download"),
    path("count/<int:n>/", views.count, name="count"),
]
