"""Words before or behind which a line should break or should not, by language."""

from __future__ import annotations

from collections.abc import Mapping

# Words that begin a clause.
CONJUNCTIONS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "ar": "لكن ولكن لأن أو ثم حيث الذي التي الذين عندما إذا بينما حتى كما بل فإن وأن أن",
        "de": "und oder aber denn sondern dass weil wenn als ob obwohl während damit bevor nachdem",
        "en": "and or but nor so yet because although though while when where which who whom that "
        "if unless until since before after than whether then",
        "es": "y e o u pero sino porque aunque mientras cuando donde que quien si pues entonces "
        "como antes después",
        "fr": "et ou mais donc car ni que qui quand lorsque parce puisque si comme dont où pendant "
        "tandis pour",
        "hi": "और या लेकिन मगर पर क्योंकि कि जो जब तब अगर तो इसलिए ताकि जबकि",
        "it": "e ed o ma però che perché quando dove mentre se come anche quindi dopo prima cui",
        "ko": "그리고 그러나 하지만 또는 그래서 왜냐하면 그런데",
        "pt": "e ou mas porém que porque quando onde enquanto se como pois então embora quem qual",
        "ru": "и а но или что чтобы потому если когда где который которая которое которые пока "
        "хотя как поэтому зато",
    }.items()
}
# Articles, prepositions and the like, which belong to the word behind them.
LEANING: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "ar": "في من على إلى عن مع هذا هذه كل بين",
        "de": "der die das den dem des ein eine einen einem einer in im an am auf aus bei mit nach "
        "von vom zu zum zur für über unter um durch und oder mein sein ihr kein nicht",
        "en": "a an the of to in on at by for from with into and or but not my your his her its "
        "our their this that these those mr mrs ms dr is are was were be no very i you he she "
        "it we they must will would can could should may might shall have has had do does did",
        "es": "el la los las un una unos unas de del a al en con por para sin y o e su sus mi mis "
        "tu tus no se lo le este esta muy",
        "fr": "le la les un une des du de d à au aux en dans par pour sur avec sans et ou ce cette "
        "ces mon ma mes son sa ses votre vos notre nos ne se je",
        "hi": "एक यह वह इस उस मेरा मेरी मेरे",
        "it": "il lo la i gli le un uno una di del della dei delle a al alla in nel nella con per "
        "da dal dalla su e o non si mi ti ci vi suo sua mio mia",
        "pt": "o a os as um uma uns umas de do da dos das em no na nos nas a ao à aos às por para "
        "com sem e ou não se seu sua seus suas meu minha este esta muito",
        "ru": "в во на с со к ко о об от до по из за для у без при под над про через и а но не ни "
        "его её их мой моя наш ваш",
    }.items()
}
