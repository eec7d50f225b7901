"""Rules of reading Spanish, French and Italian aloud: money, percent, units, ranges and dates.

The digits stay: the phonemes' rules and the tokenizers of the voices read them in each language.
"""

from __future__ import annotations

from collections.abc import Mapping
from re import Match

from models.tts.normalisation.quantities import Quantities
from models.tts.normalisation.vocabulary import Currency, Noun, Rule, Vocabulary, rule


def _nouns(**pairs: str) -> dict[str, Noun]:
    """Make nouns of ``one/many``; without a slash an s makes the plural."""
    read = {name: pair.partition("/") for name, pair in pairs.items()}
    return {name: Noun(one, many or f"{one}s") for name, (one, _, many) in read.items()}


def _currencies(
    euro: str, dollar: str, pound: str, yen: str, cent: str, penny: str
) -> dict[str, Currency]:
    noun = _nouns(euro=euro, dollar=dollar, pound=pound, yen=yen, cent=cent, penny=penny)
    return {
        **dict.fromkeys(("€", "EUR"), Currency(noun["euro"], noun["cent"])),
        **dict.fromkeys(("$", "US$", "USD"), Currency(noun["dollar"], noun["cent"])),
        **dict.fromkeys(("£", "GBP"), Currency(noun["pound"], noun["penny"])),
        **dict.fromkeys(("¥", "JPY"), Currency(noun["yen"])),
    }


_SPANISH_UNITS = {
    **_nouns(m="metro", km="kilómetro", cm="centímetro", mm="milímetro", kg="kilo", g="gramo"),
    **_nouns(l="litro", L="litro"),
    "km/h": Noun("kilómetro por hora", "kilómetros por hora"),
    "°C": Noun("grado Celsius", "grados Celsius"),
}
_FRENCH_UNITS = {
    **_nouns(m="mètre", km="kilomètre", cm="centimètre", mm="millimètre", kg="kilo", g="gramme"),
    **_nouns(l="litre", L="litre"),
    "km/h": Noun("kilomètre à l'heure", "kilomètres à l'heure"),
    "°C": Noun("degré Celsius", "degrés Celsius"),
}
_ITALIAN_UNITS = {
    **_nouns(m="metro/metri", km="chilometro/chilometri", cm="centimetro/centimetri"),
    **_nouns(mm="millimetro/millimetri", kg="chilo/chili", g="grammo/grammi"),
    **_nouns(l="litro/litri", L="litro/litri"),
    "km/h": Noun("chilometro all'ora", "chilometri all'ora"),
    "°C": Noun("grado Celsius", "gradi Celsius"),
}
_SPANISH = Vocabulary(
    group=".",
    point=",",
    gendered=None,
    one_below_two=False,
    conjunction="con",
    to="a",
    at="arroba",
    dot="punto",
    slash="barra",
    dash="guion",
    underscore="guion bajo",
    port="puerto",
    minus="menos",
    number_sign="número",
    percent="por ciento",
    of_millions="de",
    per="por",
    over="sobre",
    magnitudes={"mil": Noun("mil", "mil"), **_nouns(millón="millón de/millones de")},
    digits=("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"),
    symbols={
        "+": "más",
        "=": "igual a",
        "<": "menor que",
        ">": "mayor que",
        "≥": "mayor o igual a",
        "≤": "menor o igual a",
        "≈": "unos",
        "≠": "distinto de",
        "&": "y",
        "×": "por",
        "÷": "entre",
        "±": "más o menos",
    },
    currencies=_currencies("euro", "dólar/dólares", "libra", "yen/yenes", "centavo", "penique"),
    units=_SPANISH_UNITS,
    fractions={"1/2": "un medio", "1/4": "un cuarto", "3/4": "tres cuartos"},
    fraction_joint="y",
)
_FRENCH = Vocabulary(
    group="\u202f",
    point=",",
    gendered=None,
    one_below_two=True,
    conjunction="et",
    to="à",
    at="arobase",
    dot="point",
    slash="barre",
    dash="tiret",
    underscore="tiret bas",
    port="port",
    minus="moins",
    number_sign="numéro",
    percent="pour cent",
    of_millions="de",
    per="par",
    over="sur",
    magnitudes={"mille": Noun("mille", "mille")},
    digits=("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"),
    symbols={
        "+": "plus",
        "=": "égale",
        "<": "inférieur à",
        ">": "supérieur à",
        "≥": "supérieur ou égal à",
        "≤": "inférieur ou égal à",
        "≈": "environ",
        "≠": "différent de",
        "&": "et",
        "×": "fois",
        "÷": "divisé par",
        "±": "plus ou moins",
    },
    currencies=_currencies("euro", "dollar", "livre", "yen/yens", "centime", "penny/pence"),
    units=_FRENCH_UNITS,
    fractions={"1/2": "un demi", "1/4": "un quart", "3/4": "trois quarts"},
    fraction_joint="et",
)
_ITALIAN = Vocabulary(
    group=".",
    point=",",
    gendered=None,
    one_below_two=False,
    conjunction="e",
    to="a",
    at="chiocciola",
    dot="punto",
    slash="barra",
    dash="trattino",
    underscore="trattino basso",
    port="porta",
    minus="meno",
    number_sign="numero",
    percent="per cento",
    of_millions="di",
    per="al",
    over="su",
    magnitudes={"mila": Noun("mila", "mila")},
    digits=("zero", "uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove"),
    symbols={
        "+": "più",
        "=": "uguale a",
        "<": "minore di",
        ">": "maggiore di",
        "≥": "maggiore o uguale a",
        "≤": "minore o uguale a",
        "≈": "circa",
        "≠": "diverso da",
        "&": "e",
        "×": "per",
        "÷": "diviso",
        "±": "più o meno",
    },
    currencies=_currencies(
        "euro/euro",
        "dollaro/dollari",
        "sterlina/sterline",
        "yen/yen",
        "centesimo/centesimi",
        "penny/pence",
    ),
    units=_ITALIAN_UNITS,
    fractions={"1/2": "un mezzo", "1/4": "un quarto", "3/4": "tre quarti"},
    fraction_joint="e",
)
VOCABULARIES: Mapping[str, Vocabulary] = {"es": _SPANISH, "fr": _FRENCH, "it": _ITALIAN}

_MONTHS = {
    "es": (
        *("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto"),
        *("septiembre", "octubre", "noviembre", "diciembre"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août"),
        *("septembre", "octobre", "novembre", "décembre"),
    ),
    "it": (
        *("gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto"),
        *("settembre", "ottobre", "novembre", "dicembre"),
    ),
}
_FIRST = {"es": "primero", "fr": "premier", "it": "primo"}  # day of a month
_JOINT = {"es": " de ", "fr": " ", "it": " "}  # between day, month and year


def rules(language: str) -> tuple[Rule, ...]:
    """Return the rules of ``es``, ``fr`` or ``it`` in order: specific ones come first."""
    iso = r"(?<![\w/.-])(\d{4})-(\d\d)-(\d\d)(?![\w/-])"
    day_first = r"(?<![\w/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?![\w/-]|\.\d)"
    return (
        rule(iso, lambda m: _date(language, m, m[3], m[2], m[1])),
        rule(day_first, lambda m: _date(language, m, m[1], m[3], m[4])),
        *Quantities(VOCABULARIES[language]).rules(),
    )


def _date(language: str, match: Match[str], day: str, month: str, year: str) -> str:
    """Say a date; other numbers stay as they are."""
    if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
        return match[0]
    said = _FIRST[language] if int(day) == 1 else str(int(day))
    return _JOINT[language].join([said, _MONTHS[language][int(month) - 1], year])
