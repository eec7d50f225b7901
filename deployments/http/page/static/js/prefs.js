// What the reader has chosen for the page itself: remembered by the browser where it may.

/** Return what was remembered under a name, or `fallback`. */
export function recall(name, fallback = null) {
	try {
		return localStorage.getItem(`dragoman.${name}`) ?? fallback;
	} catch {
		return fallback; // storage is switched off
	}
}

export function remember(name, value) {
	try {
		localStorage.setItem(`dragoman.${name}`, value);
	} catch {
		// storage is switched off or full: the choice holds until the page is left
	}
}
