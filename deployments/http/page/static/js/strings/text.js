// Strings of the tab that translates texts.
export default {
  en: {
    "text.detected": "In {language} ({percent} %)",
    "text.listen": "Listen",
    "text.source": "Text",
    "text.swap": "Swap",
  },
  pt: {
    "text.detected": "Em {language} ({percent} %)",
    "text.listen": "Ouvir",
    "text.source": "Texto",
    "text.swap": "Trocar",
  },
};
