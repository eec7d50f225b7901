"""Maps names of languages, as people and clients write them, to codes that models know."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from types import MappingProxyType

MAX_NAME_CHARS = 80  # a longer text names no language
# A region, a script or an encoding behind a code: en-US, zh_Hant_TW, pt_BR.UTF-8.
SUBTAGS = re.compile(r"(?P<code>[a-z]{2,3})(?:[-_][a-z0-9]{1,8})*(?:[.@][\w.@=-]*)?")
# Names that ask to detect the language.
DETECTED = frozenset({"", "auto", "autodetect", "auto-detect", "detect", "und"})

# ISO 639-1 or, where that has none, 639-3: three-letter codes of ISO 639-2, and names, the English
# one first. Those of Whisper, M2M100 and, as far as they have two letters, of NLLB-200.
_TABLE = """
af afr afrikaans
ak aka akan
am amh amharic
ar ara arb arabic العربية
as asm assamese
ast ast asturian
ay aym aymara
az aze azerbaijani
ba bak bashkir
be bel belarusian byelorussian
bg bul bulgarian български
bm bam bambara
bn ben bengali bangla
bo bod tib tibetan
br bre breton
bs bos bosnian
ca cat catalan valencian català
ceb ceb cebuano
cs ces cze czech čeština
cv chv chuvash
cy cym wel welsh
da dan danish dansk
de deu ger german deutsch
dz dzo dzongkha
ee ewe ewe
el ell gre greek ελληνικά
en eng english
eo epo esperanto
es spa spanish castilian español castellano
et est estonian eesti
eu eus baq basque euskara
fa fas per persian farsi فارسی
ff ful fulah fula
fi fin finnish suomi
fj fij fijian
fo fao faroese
fr fra fre french français
fy fry western_frisian frisian
ga gle irish
gd gla scottish_gaelic gaelic
gl glg galician galego
gn grn guarani
gu guj gujarati
ha hau hausa
haw haw hawaiian
he heb hebrew עברית
hi hin hindi हिन्दी
hr hrv croatian hrvatski
ht hat haitian_creole haitian
hu hun hungarian magyar
hy hye arm armenian
id ind indonesian bahasa_indonesia
ig ibo igbo
ilo ilo iloko ilocano
is isl ice icelandic
it ita italian italiano
ja jpn japanese 日本語
jv jav javanese
ka kat geo georgian
kg kon kongo
ki kik kikuyu gikuyu
kk kaz kazakh
km khm khmer cambodian
kn kan kannada
ko kor korean 한국어
kr kau kanuri
ks kas kashmiri
ku kur kurdish
ky kir kyrgyz kirghiz
la lat latin
lb ltz luxembourgish letzeburgesch
lg lug ganda luganda
li lim limburgish
ln lin lingala
lo lao lao
lt lit lithuanian lietuvių
lv lav latvian latviešu
mg mlg malagasy
mi mri mao maori
mk mkd mac macedonian
ml mal malayalam
mn mon mongolian
mr mar marathi
ms msa may malay bahasa_melayu
mt mlt maltese
my mya bur myanmar burmese
ne nep nepali
nl nld dut dutch flemish nederlands
nn nno nynorsk norwegian_nynorsk
no nor norwegian bokmål norwegian_bokmål norsk
ns nso northern_sotho
ny nya chichewa nyanja
oc oci occitan
om orm oromo
or ori oriya odia
os oss ossetian
pa pan punjabi panjabi
pl pol polish polski
ps pus pashto pushto
pt por portuguese português
qu que quechua
rn run rundi kirundi
ro ron rum romanian moldavian moldovan română
ru rus russian русский
rw kin kinyarwanda
sa san sanskrit
sc srd sardinian
sd snd sindhi
sg sag sango
si sin sinhala sinhalese
sk slk slo slovak slovenčina
sl slv slovenian slovene slovenščina
sm smo samoan
sn sna shona
so som somali
sq sqi alb albanian shqip
sr srp serbian српски
ss ssw swati
st sot southern_sotho sesotho
su sun sundanese
sv swe swedish svenska
sw swa swahili kiswahili
ta tam tamil
te tel telugu
tg tgk tajik
th tha thai ไทย
ti tir tigrinya
tk tuk turkmen
tl tgl tagalog filipino
tn tsn tswana
to ton tongan
tr tur turkish türkçe
ts tso tsonga
tt tat tatar
tw twi twi
ug uig uyghur uighur
uk ukr ukrainian українська
ur urd urdu
uz uzb uzbek
ve ven venda
vi vie vietnamese tiếng_việt
wo wol wolof
xh xho xhosa
yi yid yiddish
yo yor yoruba
yue yue cantonese 粵語
zh zho chi cmn chinese mandarin mandarin_chinese 中文
zu zul zulu
"""
# Codes that stand for another here: withdrawn ones, and parts of a language that
# models do not tell from the whole.
_OTHER_CODES = {
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "mo": "ro",
    "nb": "no",
    "nob": "no",
    "fil": "tl",
}


@cache
def _codes() -> MappingProxyType[str, str]:
    """Map every name of a language, without case and accents, to its code."""
    return MappingProxyType({name: code for code, name in _rows()} | _OTHER_CODES)


@cache
def three_letters(code: str) -> str:
    """Return the three letters of ISO 639-2 or 639-3 for a code; ``und`` for one that has none."""
    for line in _TABLE.strip().splitlines():
        own, three, *_ = line.split()
        if own == code:
            return three
    return code if len(code) == 3 and code.isascii() and code.isalpha() else "und"


@cache
def english_name(code: str) -> str | None:
    """Return a language's English name for its code; None: the code is of no language known here.

    >>> english_name("pt"), english_name("st"), english_name("roa")
    ('Portuguese', 'Southern Sotho', None)
    """
    for line in _TABLE.strip().splitlines():
        own, *names = line.split()
        if own == code:
            # Codes of three letters stand before the names, of which a few have three, too.
            name = next((each for each in names if len(each) > 3), names[-1])
            return name.replace("_", " ").title()
    return None


def _rows() -> Iterator[tuple[str, str]]:
    for line in _TABLE.strip().splitlines():
        code, *names = line.split()
        yield code, code
        for name in names:
            yield code, _plain(name.replace("_", " "))


def _plain(text: str) -> str:
    """Remove case, accents and needless spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def language_code(text: str) -> str | None:
    """Return the code of a named language; None: it is to be detected.

    A code may have a region or script behind it, and any case. An unknown name is returned in small
    letters, as a model may know it all the same.

    >>> [language_code(text) for text in ("en-US", "pt_BR", "Portuguese", "ger", "auto", "")] ['en',
    'pt', 'pt', 'de', None, None]
    """
    small = text.strip().casefold()
    if small in DETECTED:
        return None
    if len(small) > MAX_NAME_CHARS:
        return small
    codes = _codes()
    if (named := codes.get(small) or codes.get(_plain(small))) is not None:
        return named
    tagged = SUBTAGS.fullmatch(small)
    return codes.get(tagged["code"], tagged["code"]) if tagged else small
