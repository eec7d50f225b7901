// Strings of the tab that translates texts.
export default {
	detected: ["In {language} ({percent} %)", "Em {language} ({percent} %)"],
	listen: ["Listen", "Ouvir"],
	source: ["Text", "Texto"],
	swap: ["Swap", "Trocar"],
};
