// Strings of the tab that translates texts.
export default {
  en: {
    "text.detected": "In {language} ({percent} %)",
    "text.done": "Translated.",
    "text.listen": "Listen",
    "text.shortcut": "Ctrl and Enter translates.",
    "text.source": "Text",
    "text.swap": "Swap",
    "text.target": "Translation",
    "text.translate": "Translate",
    "text.translating": "Translating …",
  },
  pt: {
    "text.detected": "Em {language} ({percent} %)",
    "text.done": "Traduzido.",
    "text.listen": "Ouvir",
    "text.shortcut": "Ctrl e Enter traduzem.",
    "text.source": "Texto",
    "text.swap": "Trocar",
    "text.target": "Tradução",
    "text.translate": "Traduzir",
    "text.translating": "A traduzir …",
  },
};
