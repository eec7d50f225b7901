// Strings of the tab that makes and lists voices.
export default {
	add: ["Add a voice", "Juntar uma voz"],
	consent: ["Consent", "Consentimento"],
	consent_hint: [
		"Whose voice it is reads this aloud. The server checks the words and the voice.",
		"Quem tem a voz lê isto em voz alta. O servidor verifica as palavras e a voz.",
	],
	done: ["Done: {name}", "Feito: {name}"],
	file: ["Or choose a recording", "Ou escolha uma gravação"],
	hear: ["Hear it speak", "Ouvi-la falar"],
	hear_sample: ["Hear the sample", "Ouvir a amostra"],
	make: ["Make the voice", "Criar a voz"],
	missing: ["Record the consent and a sample first.", "Grave primeiro o consentimento e uma amostra."],
	name: ["Name of the voice", "Nome da voz"],
	own: ["Your voices", "As suas vozes"],
	really: ["Delete {name} for good?", "Apagar {name} de vez?"],
	record: ["Record", "Gravar"],
	record_stop: ["Stop recording", "Parar a gravação"],
	sample: ["Sample", "Amostra"],
	sample_hint: [
		"About ten seconds of the voice, where it is quiet.",
		"Cerca de dez segundos da voz, onde haja silêncio.",
	],
	served: ["Voices of the server", "Vozes do servidor"],
};
