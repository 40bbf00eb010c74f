"""Telling others: webhooks, an MQTT broker and Google Analytics, all from the one outbox of the database."""

MQTT = "mqtt"
"""How the broker is called among the parts of a running contact centre."""
NOT_YET = "not connected yet"
