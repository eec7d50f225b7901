"""Regular expressions of what is not prose: code, addresses, tags, placeholders, money, signs.

The earlier of two patterns that begin at the same place wins. Each name is the kind of an item.
"""

from __future__ import annotations

_END = r"(?<![.,;:!?])"  # punctuation behind an address belongs to the sentence

FENCE = r"(?m:^[ \t]*(?P<fence>`{3,}|~{3,})[^\n]*\n(?:.*\n)*?[ \t]*(?P=fence)[`~]*[ \t]*$)"
CODE = r"(?<!`)(?P<ticks>`{1,4})(?!`)[^\n]{1,300}?(?<!`)(?P=ticks)(?!`)"

_ATTRIBUTE = r"""\s+[\w:@.-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+))?"""
_WHOLE_ELEMENT = r"<(?P<element>code|pre|script|style)\b[^>]{0,200}>.{0,2000}?</(?P=element)\s*>"
TAG = (
    rf"(?is:{_WHOLE_ELEMENT})|(?s:<!--.{{0,1000}}?-->|<!\[CDATA\[.{{0,1000}}?\]\]>)"
    r"|<[!?][A-Za-z][^<>]*>"
    rf"|</?[A-Za-z][\w:.-]*(?:{_ATTRIBUTE})*\s*/?>|</?\d+\s*/?>"
    r"|\*\*(?=\S)|(?<=\S)\*\*|(?<!\w)__(?=\w)(?=[^_]*[^\s_]__)|~~"
    r"|&(?:[A-Za-z]\w{1,30}|\#\d{1,7}|\#x[\dA-Fa-f]{1,6});"
    r"|\]\([^()\s]+(?:\s+\"[^\"\n]*\")?\)"  # what follows the text of a Markdown link
)

URL = (
    rf"\b(?:[a-z][a-z\d+.-]{{1,10}}://|www\.)(?:[^\s<>\"“”«»()\[\]{{}}`]|\([^\s()<>]*\)|\{{\w+\}})+{_END}(?<!')"
    rf"|\b(?:mailto|tel|magnet|data):[^\s<>\"“”«»()]+{_END}"
)
_TOP = r"(?:com|org|net|io|dev|app|edu|gov|info|biz|co\.uk|com\.br|com\.pt|gov\.br|example)"
_DOMAIN = (
    rf"(?<![\w@.-])(?:[a-z\d](?:[a-z\d-]*[a-z\d])?\.)+"
    rf"(?:{_TOP}(?![\w-])(?!\.\w)(?::\d+)?(?:/[^\s<>\"“”()]*)?|[a-z]{{2,3}}/[^\s<>\"“”()]*){_END}"
)
EMAIL = r"(?<![\w.+'-])[\w.+%'-]*[\w+]@(?:[\w-]+\.)+[^\W\d_]{2,}(?![\w-])"

PLACEHOLDER = (
    r"\{\{\{?[^{}\n]+\}?\}\}|\{%[^\n]*?%\}|<%[^\n]*?%>"
    r"|\{\w+,\s*(?:plural|select|selectordinal|number|date|time)\b[^{}]*(?:\{[^{}]*\}[^{}]*)*\}"
    r"|[$%#@]?\{[\w.:!\[\]$@#/+,<>=|'\" -]{0,60}\}|\[\[[^\[\]\n]+\]\]|\$\([\w. -]+\)|%%\w+%%"
    r"|(?<![\d%])%(?:\([\w.]+\)|\d+\$)?[-+#0]*\d*(?:\.\d+)?(?:hh?|ll?|z|j)?[sdiouxXeEfgGcr@](?![A-Za-z\d])"
    r"|(?<![\d%])%[A-Z_]{2,}%|(?<![\d%])%\d{1,2}\b"
    r"|(?<![\w$])\$[A-Za-z_]\w*|(?<![\w:/]):[A-Za-z_]\w*:?|\b__\w+?__\b"
)

_UNIX = r"(?<![\w/:.<~-])(?:~|\.{1,2})?/(?:[\w.@%+-]+/?)+"
_WINDOWS = (
    r"(?<![\w\\])(?:[A-Za-z]:|\.{1,2}|\\\\[\w.$-]+|%\w+%)?\\(?:[\w.$()-]+(?: [\w.$()-]+){0,3}\\)*"
    r"(?:[\w$-]+(?: [\w$-]+)?(?:\.\w{1,5})+|[\w.$-]+)?"
)
_EXTENSION = (
    "(?:txt|md|rst|pdf|docx?|xlsx?|pptx?|odt|csv|tsv|json|ya?ml|toml|ini|cfg|conf|xml|html?|css|jsx?"
    "|tsx?|py|ipynb|java|kt|cs|c|cc|cpp|h|hpp|rs|go|rb|php|sh|bat|ps1|sql|log|png|jpe?g|gif|svg"
    "|webp|mp[34]|wav|flac|ogg|avi|mov|mkv|zip|tar|t?gz|bz2|xz|7z|rar|exe|dll|so|jar|apk|iso|bak"
    "|db|env|lock|srt|vtt|bin|onnx|pem|key|crt)"
)
_FILE = rf"(?<![\w.@/\\-])(?:[\w-]+/)*[\w-]+(?:\.[\w-]+)*\.{_EXTENSION}(?::\d+)*(?![\w-]|\.\w)"
_RELATIVE = r"(?<![\w.@/\\-])[\w-]+(?:/[\w.-]+){2,}(?![\w/-])(?<!\.)"
PATH = rf"(?:{_UNIX}|{_WINDOWS}){_END}|{_FILE}|{_RELATIVE}"

SOCIAL = r"(?<![\w&])#\w+(?:[-_]\w+)*|(?<![\w.])@\w+(?:[.-]\w+)*"

NUMBER = r"\d+(?:[.,\u00a0\u202f]\d+)*"
_SYMBOL = "[$€£¥₹₩₽₺₴₦₱₪₫฿¢₿]"
_CODE = (
    "(?:USD|EUR|GBP|CHF|BRL|JPY|CNY|INR|KRW|RUB|TRY|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|MXN|ARS"
    "|ZAR|AOA|MZN|BTC)"
)
_BEFORE = rf"(?:(?:[A-Z]{{1,3}})?{_SYMBOL}|\b{_CODE}\b)"
_BEHIND = rf"(?:{_SYMBOL}|(?:{_CODE}|kr|zł|Kč|Ft|лв)\b)"
_SIZE = r"(?:\s?(?:mn|bn|k|m|M|K|B)\b)?"
_RANGE = rf"(?:\s?[-–—]\s?{_SYMBOL}?{NUMBER})?"
MONEY = (
    rf"(?<![A-Za-z])[-−+~]?{_BEFORE}\s?[-−]?{NUMBER}{_RANGE}{_SIZE}"
    rf"|(?<![\w.,])[-−+~]?{NUMBER}{_RANGE}(?:mn|bn|k|m|M|K|B)?\s?{_BEHIND}"
)

_VULGAR = "[¼-¾⅐-⅞↉]"
FRACTION = (
    rf"(?<![\w.,])[-−+]?\d*\s?{_VULGAR}"
    r"|(?<![\w.,/])[-−+]?(?:\d+\s)?\d+[/⁄]\d+(?![\w/]|[.,]\d)"
)

TIME = (  # moments, telephones, versions and addresses of numbers
    r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?!\w)"
    r"|(?<![\w.,/:])\d{1,4}(?P<date>[-/.])\d{1,2}(?P=date)\d{2,4}(?![\w/-]|[.,]\d)"
    r"|(?<![\w.,:])\d{1,2}(?::\d{2}){1,2}(?:\s?[-–—]\s?\d{1,2}(?::\d{2}){1,2})?(?![\w:])"
    r"|(?<![\w.,:])\d{1,2}h(?:\d{2})?(?:\s?[-–—]\s?\d{1,2}h(?:\d{2})?)?(?!\w)"
    r"|\b(?:[\dA-Fa-f]{2}[:-]){5}[\dA-Fa-f]{2}\b|\b(?:[\dA-Fa-f]{1,4}:){4,7}[\dA-Fa-f]{1,4}\b"
    r"|\b[vV]\d+(?:\.\d+)*(?:[-+.][\w.]*\w)?\b"
    r"|(?<![\w.,])(?!\d{1,3}(?:\.\d{3})+(?![\d.]))\d+(?:\.\d+){2,}(?:[-+]?[a-z][\w.]*\w|/\d+)?(?![\w])"
)
# Seven digits and more, in groups; of numbers with a sign, brackets or a leading zero six.
PHONE = (
    r"(?<![\w.,])(?:\+\d{1,3}[ .-]?)?\(\d{1,5}\)[ -]?\d{2,5}(?:[ .-]\d{2,5})*(?!\w)"
    r"|(?<![\w.,])(?:\+|00?)\d{1,4}(?:[ .-]?\d{1,5}){1,6}(?![\w]|[.,]\d)"
    r"|(?<![\w.,])\d{2,5}(?:[ -]\d{2,5}){2,5}(?![\w]|[.,]\d)|(?<![\w.,])\d{3,5}-\d{4,5}(?!\w)"
    r"|(?<![\w.,])\d{1,4}(?:-\d{2,5}){2,4}(?![\w-])"
)

_HEX = r"(?=[\da-f]*\d)(?=[\da-f]*[a-f])"
ID = (
    r"\b[\dA-Fa-f]{8}(?:-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}\b|\b0[xX][\dA-Fa-f]+\b"
    rf"|\b(?:{_HEX}[\da-f]{{6,}}|\d+[a-z]+\d+[a-z\d]*)\b(?!-)"
    r"|\b(?:ISBN|ISSN|DOI|IBAN)(?:-1[03])?:?\s?[\dA-Z](?:[\dA-Zx./ -]{3,}[\dXA-Z])\b"
    r"|\b[A-Z]{2}\d{2}(?: [A-Z\d]{4}){2,7}(?: [A-Z\d]{1,3})?\b"
    r"|(?<![\w-])(?=[A-Z\d_/.-]*\d)(?=[A-Z\d_/.-]*[A-Z])(?=[A-Z\d_/.-]{4})"
    r"[A-Z\d]+(?:[-_/.][A-Z\d]+)*(?![\w-])"
    r"|\b[A-Za-z][A-Za-z\d]*(?:_[A-Za-z\d]+)+\b|\b[a-z]+(?:[A-Z][a-z\d]+)+\b"  # names of programs
    r"|\b[A-Za-z_]\w*(?:\.\w+)*\(\)"
)

_UNIT = (
    r"(?:°\s?[CFKR]?|º[CF]|%|‰|[nµμmckMGTd]?(?:m|g|l|L|W|V|A|J|N|Pa|Hz|F|H|eV|mol|cal|Wh|bit|byte|B|b)"
    r"(?:[²³]|/(?:s|h|min|m[²³]?|l|L|kg|d))?|[nµμm]s|(?<=\s)s|[kM]?(?:bar|ton|t)|psi|mph|kph|rpm|fps|dpi|px|ppm|dB"
    r"|[kM]?Ω|(?:kilo)?ohm|km/h|ft|oz|lbs?|ml|mL|[kMGT]i?B(?:/s)?|[kMG]?bps|\"|″|′)"
)
_MEASURE = rf"[-−–+±~≈]?{NUMBER}(?:\s?(?:[-–—×x]|±|\+/-)\s?{NUMBER}){{0,3}}\s?{_UNIT}(?![\w²³])"
_OPERATOR = r"(?:[−±×÷=≠≈≡>≤≥√∞∝∈∪∩→←↔⇒⇔∑∏∫·]|<(?!/?[A-Za-z])|[<>=!]=|\+/-|->|=>)"
_OPERAND = (
    rf"(?:[-−+±]?{NUMBER}(?:\s?{_UNIT})?(?![\w²³])|\b[A-Za-zα-ωΑ-Ω](?:[A-Za-z]?[²³]|\b)(?!['’]))"
)
_OPERANDS = rf"{_OPERAND}(?:\s?[-+*/^]\s?{_OPERAND}){{0,6}}"
SIGN = (
    rf"(?<![\w.,])(?:{_OPERANDS}\s?)?{_OPERATOR}\s?{_OPERANDS}(?:\s?{_OPERATOR}\s?{_OPERANDS}){{0,4}}"
    rf"|(?<![\w.,]){_OPERAND}(?:\s?[+*/^]\s?{_OPERAND}){{1,9}}"
    rf"|(?<![\w.,])(?:{_MEASURE})(?:\s?[×x]\s?{_MEASURE}){{0,3}}"
    rf"|(?<![\w.,])[−±+-]{NUMBER}(?![\w])|(?<![\w.,]){NUMBER}\s?[–—]\s?{NUMBER}(?![\w])"
    rf"|(?<![\w.,]){NUMBER}-{NUMBER}(?![\w-])"
    r"|\w*[⁰-⁹⁺-⁾ⁿ₀-₎²³¹]+\w*"
)

_PICTURE = (
    "[\U0001f000-\U0001f0ff\U0001f10d-\U0001f1e5\U0001f200-\U0001faff\u2300-\u23ff\u25a0-\u27bf"
    "\u2b00-\u2bff\u2190-\u21ff\u3030\u303d\u3297\u3299]"
)
_DRESS = "[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
EMOJI = (
    rf"(?:(?:[\U0001f1e6-\U0001f1ff]{{2}}|[\d#*©®‼⁉™ℹ]\ufe0f?\u20e3|[©®‼⁉™ℹ]\ufe0f"
    rf"|{_PICTURE}{_DRESS}*(?:\u200d{_PICTURE}{_DRESS}*)*)\s?)*"
    rf"(?:[\U0001f1e6-\U0001f1ff]{{2}}|[\d#*]\ufe0f?\u20e3|[©®‼⁉™ℹ]\ufe0f"
    rf"|{_PICTURE}{_DRESS}*(?:\u200d{_PICTURE}{_DRESS}*)*)"
)

# Kind, pattern, and a hint that every text with such an item matches: most texts match few hints.
KINDS: tuple[tuple[str, str, str], ...] = (
    ("fence", FENCE, "[`~]{3}"),
    ("code", CODE, "`"),
    ("url", URL, r"://|www\.|\w:\w"),
    ("email", EMAIL, "@"),
    ("placeholder", PLACEHOLDER, r"[{%$\[]|:\w|__|<%"),
    ("tag", TAG, r"[<&*~]|__|\]\("),
    ("path", PATH, r"[/\\]|\w\.[A-Za-z\d]*[A-Za-z]"),
    ("domain", _DOMAIN, r"\.[a-z]"),
    ("social", SOCIAL, "[#@]"),
    ("emoji", EMOJI, r"[^\x00-\x7f](?<!\w)"),
    ("money", MONEY, rf"{_SYMBOL}|{_CODE}|\d\s?(?:kr|zł|Kč|Ft|лв)"),
    ("time", TIME, r"\d[-/:hT]\d|\d\.\d+\.\d|\dh|[vV]\d|[\da-fA-F]:[\da-fA-F]"),
    ("fraction", FRACTION, r"\d[/⁄]\d|[¼-¾⅐-⅞↉]"),
    ("id", ID, r"\d[A-Za-z_]|[A-Za-z_][-_/.]?\d|\w_\w|[a-z][A-Z]|\w\(\)|ISBN|ISSN|DOI|IBAN"),
    ("phone", PHONE, r"\d[ )-]+\d|\d\.\d+\.\d|[+(]\d|\b0\d{4}"),
    (
        "sign",
        SIGN,
        rf"\d\s?{_UNIT}(?!\w)"
        r"|\d[-–—]\d|[−±×÷=≠≈≡<>≤≥√∞∝∈∪∩→←↔⇒⇔∑∏∫·+*^⁰-₎²³¹]|[-–−]\d"
        r"|\d\s?[-–—/x]\s?\d|->",
    ),
)
