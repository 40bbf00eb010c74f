"""The words on timelines, in the site's language."""

from __future__ import annotations

_LABELS = {
    "en": {
        "unanswered": "1 unanswered call completed",
        "deleted": "deleted",
        "silent_message": "silent call message",
        "machine_message": "message left",
        "conversation": "conversation",
        "outbound": "Outbound",
    },
    "da": {
        "unanswered": "1 ubesvaret opkald færdig",
        "deleted": "slettet",
        "silent_message": "lydløs opkaldsmeddelelse",
        "machine_message": "besked indtalt",
        "conversation": "samtale",
        "outbound": "Outbound",
    },
    "ru": {
        "unanswered": "1 неотвеченный вызов завершён",
        "deleted": "удалён",
        "silent_message": "сообщение о немом вызове",
        "machine_message": "сообщение оставлено",
        "conversation": "разговор",
        "outbound": "Outbound",
    },
}


def label(word: str, language: str) -> str:
    """``word`` as the language says it; English where a language has no word of its own."""
    return _LABELS.get(language, {}).get(word, _LABELS["en"][word])
