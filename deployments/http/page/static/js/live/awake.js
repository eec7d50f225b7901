// Keep the screen on while something is followed, where the browser can.

/** Return a function that lets the screen go off again. */
export function stayAwake() {
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
  document.addEventListener("visibilitychange", hold); // a hidden page loses it
  hold();
  return () => {
    isOver = true;
    document.removeEventListener("visibilitychange", hold);
    lock?.release();
  };
}
