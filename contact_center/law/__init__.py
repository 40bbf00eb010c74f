"""Dialling law as data: dated rules per jurisdiction, which of them apply to a person, and what they ask.

Pure: no store, no Asterisk, no numpy. The rules are the TOML files in ``data``; nothing here is legal advice.
"""
