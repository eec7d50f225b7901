"""List the words of each language before which a long clause is cut well, or behind which badly."""

from __future__ import annotations

from collections.abc import Mapping

_BEGIN = {  # conjunctions and relative pronouns
    "de": "und aber oder denn sondern weil dass wenn ob obwohl während bevor nachdem damit sodass "
    "als welche welcher welches wo",
    "en": "and but or so because that which who whose when where while if although though since "
    "until unless before after then however whether",
    "es": "y e pero o u porque que cuando donde mientras si aunque pues sino entonces como quien",
    "fr": "et mais ou car donc parce que qui dont où quand lorsque si quoique alors comme puisque",
    "it": "e ed ma o od perché che quando dove mentre se anche benché quindi allora come poi",
    "pt": "e mas ou porque que quando onde enquanto se embora pois então como quem cujo portanto "
    "porém contudo",
    "ru": "и а но или что чтобы потому когда где пока если хотя который которая которое которые",
}
_LEAD = {  # articles, prepositions, and what else stands before what it belongs to
    "de": "der die das den dem des ein eine einen einem einer mit von zu zum zur in im an am auf "
    "für bei aus nach über unter durch ohne gegen sehr mein dein sein ihr unser kein keine nicht",
    "en": "a an the of to in on at for with by from into about over under through between my your "
    "his her its our their this these those no not very is are was were be been have has had will "
    "would can could may might must should do does did i you he she it we they as than more most",
    "es": "el la los las un una unos unas de del a al en con por para sin sobre entre mi tu su "
    "nuestro este esta estos estas no muy es son está están ha han se lo me te le más",
    "fr": "le la les l un une des du de d à au aux en dans avec par pour sans sur entre mon ton "
    "son notre votre leur ce cette ces ne pas très est sont a ont je tu il elle on nous vous se "
    "plus",
    "it": "il lo la i gli le un uno una di del della a al alla in nel nella con per da su tra fra "
    "mio tuo suo nostro questo questa non molto è sono ha hanno si più",
    "pt": "o a os as um uma uns umas de do da dos das em no na nos nas por pelo pela para com sem "
    "sobre entre ao à aos às meu minha seu sua nosso este esta esse essa não muito é são está "
    "estão foi tem têm se mais",
    "ru": "в на с к у о по от до из за для без под над при через не ни мой твой его её наш",
}
BEGINNINGS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split()) for language, words in _BEGIN.items()
}
LEADS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split()) for language, words in _LEAD.items()
}
