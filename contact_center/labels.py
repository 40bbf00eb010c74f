"""The words on timelines, in the site's language."""

from __future__ import annotations

_LABELS = {
    "en": {
        "unanswered": "1 unanswered call completed",
        "deleted": "deleted",
        "silent_message": "silent call message",
        "machine_message": "message left",
        "cut_off": "longest call of the trunk reached",
        "conversation": "conversation",
        "consult": "consult",
        "outbound": "Outbound",
        "greeting": "greeting",
        "closed_message": "closed",
        "overflow_message": "overflow message",
        "welcome_message": "welcome message",
        "record_announcement": "recording announced",
        "callback_offered": "callback offered",
        "callback_entered": "number entered",
        "callback_ordered": "callback ordered",
    },
    "da": {
        "unanswered": "1 ubesvaret opkald færdig",
        "deleted": "slettet",
        "silent_message": "lydløs opkaldsmeddelelse",
        "machine_message": "besked indtalt",
        "cut_off": "trunkens længste opkald nået",
        "conversation": "samtale",
        "consult": "rådførsel",
        "outbound": "Outbound",
        "greeting": "velkomst",
        "closed_message": "lukket",
        "overflow_message": "besked ved overløb",
        "welcome_message": "velkomstbesked",
        "record_announcement": "besked om optagelse",
        "callback_offered": "tilbagekald tilbudt",
        "callback_entered": "nummer indtastet",
        "callback_ordered": "tilbagekald bestilt",
    },
    "ru": {
        "unanswered": "1 неотвеченный вызов завершён",
        "deleted": "удалён",
        "silent_message": "сообщение о немом вызове",
        "machine_message": "сообщение оставлено",
        "cut_off": "достигнута предельная длительность вызова",
        "conversation": "разговор",
        "consult": "консультация",
        "outbound": "Outbound",
        "greeting": "приветствие",
        "closed_message": "закрыто",
        "overflow_message": "сообщение о переполнении",
        "welcome_message": "приветственное сообщение",
        "record_announcement": "сообщение о записи",
        "callback_offered": "предложен обратный звонок",
        "callback_entered": "номер введён",
        "callback_ordered": "обратный звонок заказан",
    },
}

# What a queue says where Asterisk's own sounds have no words for it, or do not speak the language.
_SPOKEN = {
    "en": {
        "callback_offer": "To keep your place and be called back, press 1.",
        "callback_confirm": "You will be called back at the number",
        "callback_confirm_keys": "If that is right, press 1. For another number, press 2. To go on waiting, press 3.",
        "callback_enter": "Please enter the number at which you want to be called back, then press the hash key.",
        "callback_refused": "That number cannot be called back.",
        "callback_ordered": "Thank you. You keep your place, and we will call you back. Goodbye.",
        "callback_agent": "Callback. Please hold while the customer is called.",
        "no_line": "All lines to the outside are in use. Please try again in a moment.",
        "capped": "The limit of calls to the outside is reached. Please ask your supervisor.",
    },
    "da": {
        "first": "De er nummer et i køen.",
        "position": "De er nummer {n} i køen.",
        "wait_one": "Den forventede ventetid er omkring et minut.",
        "wait": "Den forventede ventetid er omkring {n} minutter.",
        "closed": "Vi har desværre lukket. Ring venligst igen i åbningstiden.",
        "overflow": "Alle medarbejdere er optaget. Ring venligst igen senere.",
        "callback_offer": "Tryk 1 for at beholde Deres plads og blive ringet op.",
        "callback_confirm": "Vi ringer tilbage på nummer",
        "callback_confirm_keys": "Tryk 1, hvis det er rigtigt, 2 for et andet nummer, eller 3 for at vente videre.",
        "callback_enter": "Indtast det nummer, vi skal ringe til, og afslut med firkant.",
        "callback_refused": "Det nummer kan vi ikke ringe til.",
        "callback_ordered": "Tak. De beholder Deres plads, og vi ringer tilbage. Farvel.",
        "callback_agent": "Tilbagekald. Vent, mens der ringes til kunden.",
        "no_line": "Alle linjer ud af huset er optaget. Prøv igen om et øjeblik.",
        "capped": "Grænsen for opkald ud af huset er nået. Spørg Deres leder.",
    },
    "ru": {
        "first": "Вы первый в очереди.",
        "position": "Ваш номер в очереди: {n}.",
        "wait_one": "Ожидаемое время ожидания: около одной минуты.",
        "wait": "Ожидаемое время ожидания: около {n} минут.",
        "closed": "К сожалению, мы закрыты. Пожалуйста, перезвоните в рабочее время.",
        "overflow": "Все операторы заняты. Пожалуйста, перезвоните позже.",
        "callback_offer": "Чтобы сохранить место в очереди и получить обратный звонок, нажмите 1.",
        "callback_confirm": "Мы перезвоним вам по номеру",
        "callback_confirm_keys": "Если номер верен, нажмите 1. Другой номер: нажмите 2. Ждать дальше: нажмите 3.",
        "callback_enter": "Введите номер, по которому вам перезвонить, и нажмите решётку.",
        "callback_refused": "По этому номеру мы не можем позвонить.",
        "callback_ordered": "Спасибо. Ваше место сохранено, мы вам перезвоним. До свидания.",
        "callback_agent": "Обратный звонок. Подождите, вызываем клиента.",
        "no_line": "Все внешние линии заняты. Повторите попытку через минуту.",
        "capped": "Лимит внешних звонков исчерпан. Обратитесь к руководителю.",
    },
}


def spoken_words(word: str, language: str) -> str | None:
    """What is said to a caller, ``{n}`` standing for a number; None where Asterisk's own sounds say it."""
    return _SPOKEN.get(language, {}).get(word)


def label(word: str, language: str) -> str:
    """``word`` as the language says it; English where a language has no word of its own."""
    return _LABELS.get(language, {}).get(word, _LABELS["en"][word])
