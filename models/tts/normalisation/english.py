"""Rules of reading English aloud. In dates with slashes the month comes first, if it can be one."""

from __future__ import annotations

import re
from re import Match

from num2words import num2words  # type: ignore[import-untyped]

from models.tts.normalisation.quantities import Quantities
from models.tts.normalisation.vocabulary import Currency, Noun, Rule, Vocabulary, rule

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_SHORT_MONTHS = {
    **{month[:3]: month for month in _MONTHS if month != "May"},
    "Sept": "September",
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHORT_DAYS = {**{day[:3]: day for day in _DAYS}, "Tues": "Tuesday", "Thurs": "Thursday"}


def _unit(one: str, many: str = "") -> Noun:
    return Noun(one, many or f"{one}s")


_CENT = _unit("cent")
_DOLLAR = _unit("dollar")
_PENCE = Noun("penny", "pence")
_CURRENCIES = {
    **dict.fromkeys(("$", "US$", "USD", "U$"), Currency(_DOLLAR, _CENT)),
    "A$": Currency(_unit("Australian dollar"), _CENT),
    "C$": Currency(_unit("Canadian dollar"), _CENT),
    **dict.fromkeys(("£", "GBP"), Currency(_unit("pound"), _PENCE)),
    **dict.fromkeys(("€", "EUR"), Currency(_unit("euro"), _CENT)),
    **dict.fromkeys(("¥", "JPY"), Currency(Noun("yen", "yen"))),
    **dict.fromkeys(("₹", "INR"), Currency(_unit("rupee"), Noun("paisa", "paise"))),
    **dict.fromkeys(("R$", "BRL"), Currency(Noun("real", "reais"), _unit("centavo"))),
    "CHF": Currency(_unit("Swiss franc")),
    "¢": Currency(_CENT),
}
_UNITS = {
    "km/h": Noun("kilometer per hour", "kilometers per hour"),
    **dict.fromkeys(("mph", "mi/h"), Noun("mile per hour", "miles per hour")),
    "m/s": Noun("meter per second", "meters per second"),
    **{"km": _unit("kilometer"), "m": _unit("meter"), "cm": _unit("centimeter")},
    **{"mm": _unit("millimeter"), "mi": _unit("mile"), "ft": Noun("foot", "feet")},
    **{"in.": Noun("inch", "inches"), "yd": _unit("yard"), "m²": _unit("square meter")},
    **{"km²": _unit("square kilometer"), "m³": _unit("cubic meter"), "ha": _unit("hectare")},
    **{"sq ft": Noun("square foot", "square feet"), "kg": _unit("kilogram"), "g": _unit("gram")},
    **{"mg": _unit("milligram"), "t": _unit("ton"), "lb": _unit("pound"), "lbs": _unit("pound")},
    **{"oz": _unit("ounce"), "L": _unit("liter"), "l": _unit("liter"), "ml": _unit("milliliter")},
    **{"mL": _unit("milliliter"), "gal": _unit("gallon"), "h": _unit("hour"), "hr": _unit("hour")},
    **{"hrs": _unit("hour"), "min": _unit("minute"), "mins": _unit("minute")},
    **{"s": _unit("second"), "sec": _unit("second"), "ms": _unit("millisecond")},
    **{"KB": _unit("kilobyte"), "kB": _unit("kilobyte")},
    **{"MB": _unit("megabyte"), "GB": _unit("gigabyte"), "TB": _unit("terabyte")},
    "Mbps": Noun("megabit per second", "megabits per second"),
    "Gbps": Noun("gigabit per second", "gigabits per second"),
    **{"Hz": Noun("hertz", "hertz"), "kHz": Noun("kilohertz", "kilohertz")},
    **{"MHz": Noun("megahertz", "megahertz"), "GHz": Noun("gigahertz", "gigahertz")},
    **{"V": _unit("volt"), "W": _unit("watt"), "kW": _unit("kilowatt")},
    **{"kWh": _unit("kilowatt hour"), "MW": _unit("megawatt"), "mAh": _unit("milliamp hour")},
    **{"dB": _unit("decibel"), "cal": _unit("calorie"), "kcal": _unit("kilocalorie")},
    "°C": Noun("degree Celsius", "degrees Celsius"),
    "°F": Noun("degree Fahrenheit", "degrees Fahrenheit"),
    "°": _unit("degree"),
}


def _fractions() -> dict[str, str]:
    names = {2: ("half", "halves"), 4: ("quarter", "quarters")}
    said = {}
    for whole in (2, 3, 4, 5, 6, 8, 10):
        one = num2words(whole, to="ordinal")
        singular, plural = names.get(whole, (one, f"{one}s"))
        for count in range(1, whole):
            if whole in (3, 5) or count % 2 or count == 1:
                noun = singular if count == 1 else plural
                said[f"{count}/{whole}"] = f"{num2words(count)} {noun}"
    return said


VOCABULARY = Vocabulary(
    group=",",
    point=".",
    gendered=None,
    one_below_two=False,
    conjunction="and",
    to="to",
    at="at",
    dot="dot",
    slash="slash",
    dash="dash",
    underscore="underscore",
    port="port",
    minus="minus",
    number_sign="number",
    percent="percent",
    of_millions="",
    per="per",
    over="over",
    magnitudes={
        **dict.fromkeys(("k", "K", "thousand"), Noun("thousand", "thousand")),
        **dict.fromkeys(("m", "M", "mn", "million"), Noun("million", "million")),
        **dict.fromkeys(("b", "B", "bn", "billion"), Noun("billion", "billion")),
        **dict.fromkeys(("tn", "T", "trillion"), Noun("trillion", "trillion")),
    },
    digits=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    symbols={
        **{"+": "plus", "=": "equals", "<": "less than", ">": "greater than", "&": "and"},
        **{"×": "times", "÷": "divided by", "≥": "at least", "≤": "at most", "±": "plus or minus"},
        **{"≈": "about", "≠": "not equal to"},
    },
    currencies=_CURRENCIES,
    units=_UNITS,
    fractions=_fractions(),
    fraction_joint="and",
)
QUANTITIES = Quantities(VOCABULARY)

# Read in full before a name, with or without the point.
_TITLES = {
    **{"Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "Gen": "General"},
    **{"Col": "Colonel", "Lt": "Lieutenant", "Sgt": "Sergeant", "Capt": "Captain"},
    **{"Rev": "Reverend", "Gov": "Governor", "Sen": "Senator", "Rep": "Representative"},
    **{"Mt": "Mount", "Ft": "Fort", "Dr": "Doctor", "St": "Saint"},
}
# Read in full behind a name.
_PLACES = {
    **{"St": "Street", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane"},
    **{"Hwy": "Highway", "Pkwy": "Parkway", "Sq": "Square", "Ct": "Court", "Dr": "Drive"},
    **{"Jr": "Junior", "Sr": "Senior", "Inc": "Incorporated", "Corp": "Corporation"},
    **{"Ltd": "Limited", "Co": "Company", "Bros": "Brothers", "Apt": "Apartment"},
}
_ANYWHERE = {
    **{"e.g": "for example", "i.e": "that is", "etc": "et cetera", "vs": "versus"},
    **{"approx": "approximately", "dept": "department", "est": "established"},
    **{"incl": "including", "excl": "excluding", "tel": "telephone", "ext": "extension"},
    **{"a.k.a": "also known as", "w/o": "without"},
}
_BEFORE_NUMBERS = {
    **{"No": "number", "no": "number", "Nos": "numbers", "Fig": "figure", "fig": "figure"},
    **{"p": "page", "pp": "pages", "vol": "volume", "Vol": "volume", "ch": "chapter"},
    **{"Ch": "chapter", "Sec": "section", "sec": "section", "Apt": "apartment", "Rm": "room"},
}
_NAME = r"(?=\s+[A-Z])"


def _any(table: dict[str, str]) -> str:
    return "|".join(re.escape(key) for key in sorted(table, key=len, reverse=True))


def _year(digits: str) -> str:
    year = int(digits)
    if len(digits) == 2:
        year += 1900 if year >= 70 else 2000
    said: str = num2words(year, to="year")
    return said.replace("-", " ")


def _date(month: int, day: int, year: str | None, fallback: str) -> str:
    """Say a date, such as ``March 12th, twenty twenty six``; other numbers stay as they are."""
    if month > 12 and day <= 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return fallback
    said = f"{_MONTHS[month - 1]} {num2words(day, to='ordinal')}"
    return f"{said}, {_year(year)}" if year else said


def _time(match: Match[str]) -> str:
    hours, minutes, seconds, half = (match[name] or "" for name in ("h", "m", "s", "half"))
    if int(hours) > 24:
        return match[0]
    said = [str(int(hours))]
    if minutes and int(minutes):
        said.append(minutes if minutes[0] != "0" else f"oh {minutes[1]}")
    elif not half:
        said.append("o'clock" if 1 <= int(hours) <= 12 else "hundred hours")
    if seconds and int(seconds):
        said.append(f"and {int(seconds)} seconds")
    if half:
        said.append(f"{half[0].upper()}M")
    return " ".join(said)


_HALF = r"(?:\s?(?P<half>[AaPp])\.?[Mm]\b\.?(?!\w))"


def _abbreviations() -> tuple[Rule, ...]:
    months, days = _any(_SHORT_MONTHS), _any(_SHORT_DAYS)
    ends = r"\.(?=\s*$|\s+(?-i:[A-Z\"“(]))"  # the point also ends the sentence
    return (
        rule(rf"\b({_any(_BEFORE_NUMBERS)})\.\s?(?=\d)", lambda m: f"{_BEFORE_NUMBERS[m[1]]} "),
        # "Main St. is": behind a name that is not the first word it is a street.
        rule(
            rf"(?<=[a-z] )([A-Z][\w']+)\s+(St|Dr)\b\.?{_NAME}", lambda m: f"{m[1]} {_PLACES[m[2]]}"
        ),
        rule(rf"\b({_any(_TITLES)})\.{_NAME}", lambda m: _TITLES[m[1]]),
        rule(rf"\b(Mr|Mrs|Ms|Dr|Prof)\b(?:\.?(?=\s+(?:and|&)\s)|{_NAME})", lambda m: _TITLES[m[1]]),
        rule(rf"(?<=\w[ ,])\s*\b({_any(_PLACES)}){ends}", lambda m: f" {_PLACES[m[1]]}."),
        rule(rf"(?<=\w[ ,])\s*\b({_any(_PLACES)})\.", lambda m: f" {_PLACES[m[1]]}"),
        rule(
            rf"\b({_any(_ANYWHERE)}){ends}", lambda m: f"{_ANYWHERE[m[1].lower()]}.", any_case=True
        ),
        rule(rf"\b({_any(_ANYWHERE)})\.", lambda m: _ANYWHERE[m[1].lower()], any_case=True),
        rule(r"\bw/o\b", "without"),
        rule(r"\bw/\s?(?=\w)", "with "),
        rule(rf"\b({months})\b\.?(?=\s+\d)", lambda m: _SHORT_MONTHS[m[1]]),
        rule(rf"(?<=\d )({months})\b\.?", lambda m: _SHORT_MONTHS[m[1]]),
        rule(rf"\b({days})\b[.,](?=\s+(?:[A-Z]|\d))", lambda m: f"{_SHORT_DAYS[m[1]]},"),
    )


def _dates() -> tuple[Rule, ...]:
    months, sep = "|".join(_MONTHS), r"(?P<sep>[/.-])"
    return (
        rule(
            r"(?<![\w/.-])(\d{4})[-/](\d\d)[-/](\d\d)(?![\w-]|/\d)(?:\s(?=\d\d:))?|"
            r"(?<![\w/.-])(\d{4})-(\d\d)-(\d\d)T(?=\d\d:)",
            lambda m: (
                _date(int(m[2] or m[5]), int(m[3] or m[6]), m[1] or m[4], m[0])
                + ", " * _has_time(m)
            ),
        ),
        rule(
            rf"(?<![\w/.-])(\d{{1,2}}){sep}(\d{{1,2}})(?P=sep)(\d{{4}}|\d{{2}})(?![\w/-]|\.\d)",
            lambda m: _date(int(m[1]), int(m[3]), m[4], m[0]),
        ),
        rule(
            r"(?<![\w/.-])(0\d|1[0-2])/(0\d|[12]\d|3[01])(?![\w/-]|\.\d)",
            lambda m: _date(int(m[1]), int(m[2]), None, m[0]),
        ),
        rule(rf"\b({months}) (\d{{1,2}})(?:st|nd|rd|th)?, (\d{{4}})\b", lambda m: _named(m)),
        rule(
            rf"\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({months}),? (\d{{4}})\b",
            lambda m: f"{m[1]} {m[2]} {_year(m[3])}",
        ),
        rule(r"\b([12]\d)([1-9]0)s\b", lambda m: _decade(m)),
    )


def _has_time(match: Match[str]) -> bool:
    return match.string[match.end() :][2:3] == ":"


def _named(match: Match[str]) -> str:
    return f"{match[1]} {match[2]}, {_year(match[3])}"


def _decade(match: Match[str]) -> str:
    tens: str = num2words(int(match[2]))
    return f"{num2words(int(match[1]))} {tens.removesuffix('y')}ies"


def rules() -> tuple[Rule, ...]:
    """Return the rules in order: specific ones come first."""
    return (
        *_abbreviations(),
        QUANTITIES.telephones(
            r"(?<![\w.,/$-])(?:\+\d{1,3}[\s.-]?)?(?:\(\d{2,4}\)\s?|\d{3,4}[\s.-])\d{3,4}[\s.-]\d{4}(?![\w-])"
            r"|(?<![\w.,/$-])\+\d{1,3}(?:[\s.-]\d{2,5}){2,5}(?![\w-])"
            r"|(?<![\w.,/$-])(?:1[-.\s])?(?:800|888|877)[-.\s]\d{3}[-.\s]\d{4}(?![\w-])"
            r"|(?<![\w.,/$-])\d{3}-\d{4}(?![\w-])"
        ),
        *_dates(),
        rule(r"(?<=\d)(\s?[AaPp]\.?[Mm]\.?)\s?[-–]\s?(?=\d)", r"\1 to "),
        rule(
            rf"(?<![\w.,/:$£€-])(?P<h>\d{{1,2}}):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d))?Z?{_HALF}?(?![\w:]|[.,]\d)",
            _time,
        ),
        rule(rf"(?<![\w.,/:$£€-])(?P<h>\d{{1,2}})(?P<m>)?(?P<s>)?{_HALF}", _time),
        rule(r"\b24/7\b", "twenty four seven"),
        rule(r"(?<!\w)['’]([2-9]0)s\b", lambda m: f"{num2words(int(m[1])).removesuffix('y')}ies"),
        rule(r"([$€£]\s?\d+),(\d\d)(?!\d)", r"\1.\2"),
        rule(r"(?<!\w)#\s?(?=\d)", "number "),
        rule(r"\b([CF])#(?!\w)", r"\1 sharp"),
        rule(
            r"(?<=\w)/(month|year|day|week|hour|minute|night|person|mo|yr)\b",
            lambda m: f" per {({'mo': 'month', 'yr': 'year'}).get(m[1], m[1])}",
        ),
        *QUANTITIES.rules(),
        rule(r"(?<!\w)@(?=\w)", "at "),
        rule(r"(?<!\w)~\s?(?=\d)", "about "),
    )
