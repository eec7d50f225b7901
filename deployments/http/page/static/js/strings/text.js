// Strings of the tab that translates texts.
export default {
  en: {
    "text.detected": "In {language} ({percent} %)",
    "text.listen": "Listen",
    "text.shortcut": "Ctrl and Enter translates.",
    "text.source": "Text",
    "text.swap": "Swap",
    "text.target": "Translation",
    "text.translate": "Translate",
  },
  pt: {
    "text.detected": "Em {language} ({percent} %)",
    "text.listen": "Ouvir",
    "text.shortcut": "Ctrl e Enter traduzem.",
    "text.source": "Texto",
    "text.swap": "Trocar",
    "text.target": "Tradução",
    "text.translate": "Traduzir",
  },
};
