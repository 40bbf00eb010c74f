"""Telling others: webhooks, an MQTT broker and Google Analytics, all from the one outbox of the database."""
