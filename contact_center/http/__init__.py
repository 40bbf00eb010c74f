"""HTTP: health, metrics and, as routers of the same app, the API."""
