"""Rules of reading Portuguese aloud, as in Brazil. Dates have the day first."""

from __future__ import annotations

import re
from re import Match

from num2words import num2words  # type: ignore[import-untyped]

from models.tts.normalisation.portuguese_nouns import CURRENCIES, UNITS
from models.tts.normalisation.quantities import Quantities
from models.tts.normalisation.vocabulary import Noun, Rule, Vocabulary, rule

_LANGUAGE = "pt_BR"  # of num2words
_MONTHS = (
    *("janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro"),
    *("outubro", "novembro", "dezembro"),
)
_SHORT_MONTHS = {month[:3]: month for month in _MONTHS if month != "maio"}


def feminine(number: int) -> str:
    """Say a number in the feminine, such as ``duzentas e vinte e duas``.

    Millions are masculine, whatever they count.
    """
    said: str = num2words(number, lang=_LANGUAGE).replace(",", "")
    cut = max(said.rfind(word) + len(word) for word in ("milhão", "milhões", " ") if word != " ")
    millions, rest = (said[:cut], said[cut:]) if "milh" in said else ("", said)
    rest = re.sub(r"\bum\b", "uma", rest)
    rest = re.sub(r"\bdois\b", "duas", rest)
    return millions + re.sub(
        r"(?<=\w)entos\b", "entas", re.sub(r"quinhentos\b", "quinhentas", rest)
    )


def _fractions() -> dict[str, str]:
    names = {3: "terço", 4: "quarto", 5: "quinto", 6: "sexto", 8: "oitavo", 10: "décimo"}
    said = {"1/2": "meio"}
    for whole, name in names.items():
        for count in range(1, whole):
            if whole in (3, 5) or count % 2:
                plural = "s" if count > 1 else ""
                said[f"{count}/{whole}"] = f"{num2words(count, lang=_LANGUAGE)} {name}{plural}"
    return said


VOCABULARY = Vocabulary(
    group=".",
    point=",",
    gendered=feminine,
    one_below_two=True,
    conjunction="e",
    to="a",
    at="arroba",
    dot="ponto",
    slash="barra",
    dash="hífen",
    underscore="sublinhado",
    port="porta",
    minus="menos",
    number_sign="número",
    percent="por cento",
    of_millions="de",
    per="por",
    over="sobre",
    magnitudes={
        "mil": Noun("mil", "mil"),
        **dict.fromkeys(("mi", "milhão", "milhões"), Noun("milhão de", "milhões de")),
        **dict.fromkeys(("bi", "bilhão", "bilhões"), Noun("bilhão de", "bilhões de")),
        **dict.fromkeys(("tri", "trilhão", "trilhões"), Noun("trilhão de", "trilhões de")),
    },
    digits=("zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove"),
    symbols={
        **{"+": "mais", "=": "igual a", "<": "menor que", ">": "maior que", "&": "e"},
        **{"×": "vezes", "÷": "dividido por", "≥": "maior ou igual a", "≤": "menor ou igual a"},
        **{"±": "mais ou menos", "≈": "cerca de", "≠": "diferente de"},
    },
    currencies=CURRENCIES,
    units=UNITS,
    fractions=_fractions(),
    fraction_joint="e",
)
QUANTITIES = Quantities(VOCABULARY)

_TITLES = {  # read in full before a name
    **{"Sr": "Senhor", "Sra": "Senhora", "Srta": "Senhorita", "Srs": "Senhores"},
    **{"Sras": "Senhoras", "Dr": "Doutor", "Dra": "Doutora", "Drs": "Doutores"},
    **{"Prof": "Professor", "Profa": "Professora", "Profª": "Professora", "Eng": "Engenheiro"},
    **{"Exmo": "Excelentíssimo", "Exma": "Excelentíssima", "Ilmo": "Ilustríssimo"},
    **{"Gen": "General", "Cel": "Coronel", "Cap": "Capitão", "Ten": "Tenente", "Sgt": "Sargento"},
    **{"Pe": "Padre", "Sto": "Santo", "Sta": "Santa", "S": "São"},
    **{"Av": "Avenida", "Al": "Alameda", "R": "Rua", "Trav": "Travessa", "Tv": "Travessa"},
    **{"Rod": "Rodovia", "Pça": "Praça", "Pç": "Praça", "Lgo": "Largo", "Estr": "Estrada"},
}
_ANYWHERE = {
    **{"etc": "etcétera", "ex": "exemplo", "obs": "observação", "tel": "telefone"},
    **{"cel": "celular", "apto": "apartamento", "aprox": "aproximadamente", "máx": "máximo"},
    **{"mín": "mínimo", "ltda": "limitada", "cia": "companhia", "jr": "Júnior", "séc": "século"},
    **{
        "dept": "departamento",
        "depto": "departamento",
        "adm": "administração",
        "ref": "referência",
    },
    **{"a.C": "antes de Cristo", "d.C": "depois de Cristo", "p. ex": "por exemplo"},
    **{"p.ex": "por exemplo", "i.e": "isto é"},
}
_BEFORE_NUMBERS = {
    **{"p": "página", "pág": "página", "pp": "páginas", "págs": "páginas", "vol": "volume"},
    **{"cap": "capítulo", "art": "artigo", "fig": "figura", "ap": "apartamento", "bl": "bloco"},
    **{"cj": "conjunto", "km": "quilômetro", "q": "quadra", "lt": "lote", "séc": "século"},
}
_WEEKDAYS = {"2": "segunda", "3": "terça", "4": "quarta", "5": "quinta", "6": "sexta"}
_BY = "mês|ano|dia|semana|hora|minuto|noite|pessoa"


def _any(table: dict[str, str]) -> str:
    return "|".join(re.escape(key) for key in sorted(table, key=len, reverse=True))


def _ordinal(number: str, ending: str) -> str:
    said: str = num2words(int(number), lang=_LANGUAGE, to="ordinal")
    if ending.startswith(("a", "ª")):
        said = re.sub(r"o\b", "a", said)
    return said + ("s" if ending.endswith("s") else "")


def _date(day: str, month: str, year: str | None, fallback: str) -> str:
    """Say a date, such as ``12 de março de 2026``; other numbers stay as they are."""
    if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
        return fallback
    said = f"{_day(day)} de {_MONTHS[int(month) - 1]}"
    if year is None:
        return said
    if len(year) == 2:
        year = f"19{year}" if int(year) >= 70 else f"20{year}"
    return f"{said} de {year}"


def _day(day: str) -> str:
    return "primeiro" if int(day) == 1 else str(int(day))


def _time(match: Match[str]) -> str:
    """Say a time, such as ``seis e quarenta e cinco`` and ``nove horas``."""
    hours, minutes, seconds = (match[name] for name in ("h", "m", "s"))
    if int(hours) > 24:
        return match[0]
    said = feminine(int(hours))
    if seconds and int(seconds):
        return f"{said} horas, {int(minutes)} minutos e {int(seconds)} segundos"
    if minutes and int(minutes):
        said += " hora" if not int(hours) else ""
        return f"{said} e {num2words(int(minutes), lang=_LANGUAGE)}"
    return f"{said} {'hora' if int(hours) <= 1 else 'horas'}"


def _abbreviations() -> tuple[Rule, ...]:
    ends = r"\.(?=\s*$|\s+(?-i:[A-ZÀ-Ý\"“(]))"  # the point also ends the sentence
    number = r"[nN](?:\.\s?[ºo°]|º|°|ro\.)\s?"
    return (
        rule(rf"\b{number}(?=\d)", "número "),
        rule(
            rf"\b({_any(_BEFORE_NUMBERS)})\.\s?(?=\d|[IVXLC]+\b)",
            lambda m: f"{_BEFORE_NUMBERS[m[1].lower()]} ",
            any_case=True,
        ),
        rule(rf"\b({_any(_TITLES)})\.(?=\s+[A-ZÀ-Ý])", lambda m: _TITLES[m[1]]),
        rule(r"\b(Av|Sr|Sra|Dr|Dra|Prof|Profa)\b(?=\s+[A-ZÀ-Ý])", lambda m: _TITLES[m[1]]),
        rule(r"\b[Ss]r\(a\)\.?", "senhor ou senhora"),
        rule(
            r"\b(sra?|sras|srs|dra?|profa?)\.(?=\s+\w)",
            lambda m: _TITLES[m[1].capitalize()].lower(),
        ),
        rule(r"\bS[./]A\b\.?", "S A"),
        rule(
            rf"\b({_any(_ANYWHERE)}){ends}",
            lambda m: f"{_expanded(m[1])}.",
            any_case=True,
        ),
        rule(rf"\b({_any(_ANYWHERE)})\.", lambda m: _expanded(m[1]), any_case=True),
        rule(r"(?<!\w)c/\s?(?=\w)", "com "),
        rule(r"(?<!\w)s/\s?(?=\w)", "sem "),
        rule(r"(?<!\w)p/\s?(?=\w)", "para "),
        rule(rf"(?<=\d de )({_any(_SHORT_MONTHS)})\b\.?", lambda m: _SHORT_MONTHS[m[1]]),
        rule(
            rf"(?<=\d)[ /]({_any(_SHORT_MONTHS)})\b\.?(?:[ /](?=\d{{4}}))?",
            lambda m: f" de {_SHORT_MONTHS[m[1]]}{' de ' * m[0].endswith(('/', ' '))}",
        ),
    )


def _expanded(abbreviation: str) -> str:
    return _ANYWHERE.get(abbreviation) or _ANYWHERE[abbreviation.lower()]


def _dates() -> tuple[Rule, ...]:
    return (
        rule(
            r"(?<![\w/.-])(\d{4})[-/](\d\d)[-/](\d\d)(?:T(?=\d\d:))?(?![\w-]|/\d)",
            lambda m: _date(m[3], m[2], m[1], m[0]),
        ),
        rule(
            r"(?<![\w/.-])(\d{4})-(\d\d)-(\d\d)T(?=\d\d:)",
            lambda m: _date(m[3], m[2], m[1], m[0]) + ", ",
        ),
        rule(
            r"(?<![\w/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-]|\.\d)",
            lambda m: _date(m[1], m[3], m[4], m[0]),
        ),
        rule(
            r"(?<![\w/.-])(0?[1-9]|[12]\d|3[01])/(0[1-9]|1[0-2])(?![\w/-]|[.,]\d)",
            lambda m: _date(m[1], m[2], None, m[0]),
        ),
        rule(rf"\b(?:0?1)(?:º|°)?(?= de (?:{'|'.join(_MONTHS)})\b)", "primeiro"),
        rule(r"\b([2-6])[ªa](?:s)?[- ]feira(s?)\b", lambda m: f"{_WEEKDAYS[m[1]]}-feira{m[2]}"),
    )


def _times() -> tuple[Rule, ...]:
    start, end = r"(?<![\w.,/:$-])(?P<h>\d{1,2})", r"(?![\w:]|[.,]\d)"
    return (
        rule(r"(?<=\d)(\s?h(?:\d\d)?)\s?[-–]\s?(?=\d{1,2}\s?h)", r"\1 a "),
        rule(rf"{start}:(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d))?(?:Z|\s?hs?)?{end}", _time),
        rule(
            rf"{start}\s?[hH](?P<m>[0-5]\d)(?:\s?min|m)?(?P<s>){end}",
            _time,
        ),
        rule(rf"{start}\s?(?:h|hs)(?P<m>)(?P<s>){end}", _time),
    )


def rules() -> tuple[Rule, ...]:
    """Return the rules in order: specific ones come first."""
    return (
        *_abbreviations(),
        QUANTITIES.telephones(
            r"(?<![\w.,/$-])(?:\+\d{1,3}[\s.-]?)?(?:\(\d{2,3}\)\s?|\d{2}\s)?(?!(?:1\d|20)\d\d-(?:1\d|20)\d\d\b)9?\d{4}-\d{4}(?![\w-])"
            r"|(?<![\w.,/$-])\+\d{1,3}(?:[\s.-]\d{2,5}){2,5}(?![\w-])"
            r"|(?<![\w.,/$-])0[38]00[\s-]\d{3}[\s-]?\d{3,4}(?![\w-])"
            r"|(?<![\w.,/$-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])"  # CPF
            r"|(?<![\w.,/$-])\d{5}-\d{3}(?![\w-])"  # CEP
        ),
        *_dates(),
        *_times(),
        rule(rf"\b({_any(_SHORT_MONTHS)})/(?=\d{{4}}\b)", lambda m: f"{_SHORT_MONTHS[m[1]]} de "),
        rule(
            r"(?<![\w/])(\d+ )?1/2(?=\s+\w+as?\b)", lambda m: f"{m[1] or ''}{'e ' * bool(m[1])}meia"
        ),
        rule(r"((?:[$€£]|R\$)\s?\d+)\.(\d\d)(?!\d)", r"\1,\2"),
        rule(r"\b24/7\b", "vinte e quatro horas por dia, sete dias por semana"),
        rule(r"(?<![\w.,])(\d{1,3})\.?([ºª]s?)(?![\wCF])", lambda m: _ordinal(m[1], m[2])),
        rule(r"(?<![\w.,])([1-9])°(?=\s+[a-zà-ý])", lambda m: _ordinal(m[1], "º")),
        rule(r"(?<!\w)#\s?(?=\d)", "número "),
        rule(rf"(?<=\w)/({_BY})\b", r" por \1"),
        *QUANTITIES.rules(),
        rule(r"(?<!\w)@(?=\w)", "arroba "),
        rule(r"(?<!\w)~\s?(?=\d)", "cerca de "),
    )
