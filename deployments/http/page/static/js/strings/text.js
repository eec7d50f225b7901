// Strings of the tab that translates texts, in English and in Portuguese.
export default {
	detected: ["In {language} ({percent} %)", "Em {language} ({percent} %)"],
	listen: ["Listen", "Ouvir"],
	source: ["Text", "Texto"],
	swap: ["Swap", "Trocar"],
};
