"""The example project (examples/django) with all its middleware, and one view more: one query."""
