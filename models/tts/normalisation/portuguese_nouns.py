"""Currencies and units as Portuguese names them, by the signs that stand for them."""

from __future__ import annotations

from models.tts.normalisation.vocabulary import Currency, Noun


def _unit(one: str, many: str = "", *, is_feminine: bool = False) -> Noun:
    return Noun(one, many or f"{one}s", is_feminine)


_CENT, _DOLLAR = _unit("centavo"), _unit("dólar", "dólares")
CURRENCIES = {
    **dict.fromkeys(("R$", "BRL"), Currency(Noun("real", "reais"), _CENT)),
    **dict.fromkeys(("$", "US$", "USD", "U$"), Currency(_DOLLAR, _CENT)),
    **dict.fromkeys(
        ("£", "GBP"), Currency(_unit("libra", is_feminine=True), Noun("pêni", "pence"))
    ),
    **dict.fromkeys(("€", "EUR"), Currency(_unit("euro"), _unit("cêntimo"))),
    **dict.fromkeys(("¥", "JPY"), Currency(_unit("iene"))),
    "CHF": Currency(_unit("franco suíço", "francos suíços")),
    "¢": Currency(_CENT),
}
UNITS = {
    "km/h": Noun("quilômetro por hora", "quilômetros por hora"),
    "m/s": Noun("metro por segundo", "metros por segundo"),
    **{"km": _unit("quilômetro"), "m": _unit("metro"), "cm": _unit("centímetro")},
    **{"mm": _unit("milímetro"), "m²": _unit("metro quadrado", "metros quadrados")},
    "km²": _unit("quilômetro quadrado", "quilômetros quadrados"),
    "m³": _unit("metro cúbico", "metros cúbicos"),
    **{"ha": _unit("hectare"), "kg": _unit("quilo"), "Kg": _unit("quilo"), "g": _unit("grama")},
    **{"mg": _unit("miligrama"), "t": _unit("tonelada", is_feminine=True)},
    **{
        "L": _unit("litro"),
        "l": _unit("litro"),
        "ml": _unit("mililitro"),
        "mL": _unit("mililitro"),
    },
    **{"min": _unit("minuto"), "s": _unit("segundo"), "seg": _unit("segundo")},
    **{"ms": _unit("milissegundo"), "hs": _unit("hora", is_feminine=True)},
    "hrs": _unit("hora", is_feminine=True),
    **{"KB": _unit("quilobyte"), "kB": _unit("quilobyte"), "MB": _unit("megabyte")},
    **{"GB": _unit("gigabyte"), "TB": _unit("terabyte")},
    "Mbps": Noun("megabit por segundo", "megabits por segundo"),
    "Gbps": Noun("gigabit por segundo", "gigabits por segundo"),
    **{"Hz": Noun("hertz", "hertz"), "kHz": Noun("quilo-hertz", "quilo-hertz")},
    **{"MHz": Noun("mega-hertz", "mega-hertz"), "GHz": Noun("giga-hertz", "giga-hertz")},
    **{
        "V": _unit("volt"),
        "W": _unit("watt"),
        "kW": _unit("quilowatt"),
        "kV": _unit("quilovolt"),
    },
    **{"kWh": _unit("quilowatt-hora", "quilowatts-hora"), "MW": _unit("megawatt")},
    **{"dB": Noun("decibel", "decibéis"), "cal": _unit("caloria", is_feminine=True)},
    "kcal": _unit("quilocaloria", is_feminine=True),
    "°C": Noun("grau Celsius", "graus Celsius"),
    "ºC": Noun("grau Celsius", "graus Celsius"),
    "°F": Noun("grau Fahrenheit", "graus Fahrenheit"),
    "°": Noun("grau", "graus"),
}
