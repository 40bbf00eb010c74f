"""The words on timelines, in the site's language."""

from __future__ import annotations

_LABELS = {
    "en": {
        "unanswered": "1 unanswered call completed",
        "deleted": "deleted",
        "silent_message": "silent call message",
        "machine_message": "message left",
        "conversation": "conversation",
        "consult": "consult",
        "outbound": "Outbound",
        "greeting": "greeting",
        "closed_message": "closed",
        "overflow_message": "overflow message",
        "welcome_message": "welcome message",
    },
    "da": {
        "unanswered": "1 ubesvaret opkald færdig",
        "deleted": "slettet",
        "silent_message": "lydløs opkaldsmeddelelse",
        "machine_message": "besked indtalt",
        "conversation": "samtale",
        "consult": "rådførsel",
        "outbound": "Outbound",
        "greeting": "velkomst",
        "closed_message": "lukket",
        "overflow_message": "besked ved overløb",
        "welcome_message": "velkomstbesked",
    },
    "ru": {
        "unanswered": "1 неотвеченный вызов завершён",
        "deleted": "удалён",
        "silent_message": "сообщение о немом вызове",
        "machine_message": "сообщение оставлено",
        "conversation": "разговор",
        "consult": "консультация",
        "outbound": "Outbound",
        "greeting": "приветствие",
        "closed_message": "закрыто",
        "overflow_message": "сообщение о переполнении",
        "welcome_message": "приветственное сообщение",
    },
}

# What a queue says in languages that Asterisk's own sounds do not speak.
_SPOKEN = {
    "da": {
        "first": "De er nummer et i køen.",
        "position": "De er nummer {n} i køen.",
        "wait_one": "Den forventede ventetid er omkring et minut.",
        "wait": "Den forventede ventetid er omkring {n} minutter.",
        "closed": "Vi har desværre lukket. Ring venligst igen i åbningstiden.",
        "overflow": "Alle medarbejdere er optaget. Ring venligst igen senere.",
    },
    "ru": {
        "first": "Вы первый в очереди.",
        "position": "Ваш номер в очереди: {n}.",
        "wait_one": "Ожидаемое время ожидания: около одной минуты.",
        "wait": "Ожидаемое время ожидания: около {n} минут.",
        "closed": "К сожалению, мы закрыты. Пожалуйста, перезвоните в рабочее время.",
        "overflow": "Все операторы заняты. Пожалуйста, перезвоните позже.",
    },
}


def spoken_words(word: str, language: str) -> str | None:
    """What is said to a caller, ``{n}`` standing for a number; None where Asterisk's own sounds say it."""
    return _SPOKEN.get(language, {}).get(word)


def label(word: str, language: str) -> str:
    """``word`` as the language says it; English where a language has no word of its own."""
    return _LABELS.get(language, {}).get(word, _LABELS["en"][word])
