"""What the menus after a call say, in the languages of the product; currency words by the settings."""

from __future__ import annotations

from contact_center.ratings.menu import Word
from contact_center.ratings.money import money_words

_WORDS = {
    "en": {
        Word.RATE: "Please rate this call.",
        Word.WRONG_OPTION: "That is not one of the options.",
        Word.VALUE: "Please enter sales value, first {whole} and then {part} followed by hash.",
        Word.WRONG_VALUE: "That value is not valid. At least three digits are wanted, the last two are {part}.",
        Word.CODE: "Please enter the category code followed by hash.",
        Word.WRONG_CODE: "There is no such category.",
        Word.SAVED: "Thank you, saved.",
        Word.GIVEN_UP: "Nothing was saved.",
    },
    "da": {
        Word.RATE: "Vurder venligst dette opkald.",
        Word.WRONG_OPTION: "Det er ikke en af mulighederne.",
        Word.VALUE: "Indtast venligst salgsværdien, først {whole} og derefter {part}, efterfulgt af firkant.",
        Word.WRONG_VALUE: "Værdien er ikke gyldig. Indtast mindst tre cifre, de to sidste er {part}.",
        Word.CODE: "Indtast venligst kategoriens nummer efterfulgt af firkant.",
        Word.WRONG_CODE: "Den kategori findes ikke.",
        Word.SAVED: "Tak, det er gemt.",
        Word.GIVEN_UP: "Intet blev gemt.",
    },
    "ru": {
        Word.RATE: "Пожалуйста, оцените этот звонок.",
        Word.WRONG_OPTION: "Такого варианта нет.",
        Word.VALUE: "Введите сумму продажи, сначала {whole}, затем {part}, и нажмите решётку.",
        Word.WRONG_VALUE: "Сумма неверна. Нужно не менее трёх цифр, последние две это {part}.",
        Word.CODE: "Введите код категории звонка и нажмите решётку.",
        Word.WRONG_CODE: "Такой категории нет.",
        Word.SAVED: "Спасибо, сохранено.",
        Word.GIVEN_UP: "Ничего не сохранено.",
    },
}
_OPTION = {"en": "{digit} for {name}.", "da": "{digit} for {name}.", "ru": "{digit}: {name}."}


def words_of(word: Word, language: str, currency: str) -> str:
    """What is said; English where a language is not known."""
    whole, part = money_words(currency, language)
    return _WORDS.get(language, _WORDS["en"])[word].format(whole=whole, part=part)


def option_words(digit: int, name: str, language: str) -> str:
    """One option, as in "1 for Sale"."""
    return _OPTION.get(language, _OPTION["en"]).format(digit=digit, name=name)
