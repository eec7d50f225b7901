// Keep the screen on while something is followed, where the browser can.

/** Return a function that lets the screen go off again; `onSeen` is called when the page is seen again. */
export function stayAwake(onSeen) {
	let lock = null;
	let isOver = false;
	const hold = async () => {
		if (document.hidden || isOver) return;
		try {
			lock = await navigator.wakeLock?.request("screen");
		} catch {
			// the system saves power: the page works all the same
		}
	};
	const turn = () => {
		hold(); // a hidden page has lost it
		if (!document.hidden) onSeen();
	};
	document.addEventListener("visibilitychange", turn);
	hold();
	return () => {
		isOver = true;
		document.removeEventListener("visibilitychange", turn);
		lock?.release();
	};
}
