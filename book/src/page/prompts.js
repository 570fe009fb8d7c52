// What a terminal shows last: a prompt or not, and whose. As typist does it
// (book/typist/src/session.rs), for the buttons "run it here".

// The machine's own shells say themselves where a prompt begins and ends, and
// that a line has been read ("semantic prompts", OSC 133): book/page/machine/
// shellrc. A terminal shows nothing for that.
const BEGINS = "\x1b]133;A\x07";
const ENDS = "\x1b]133;B\x07";
const READ = "\x1b]133;C\x07";
// Of the shells that a rung starts, which have never heard of it: a rung's
// prompt, a plain sh of root's, busybox's, bash's.
const FORMS = /^(step\d\d .*[#$]|#|\/[^ ]* #|bash-[\d.]+[#$]) $/;

// Without what only moves the cursor or sets colours and titles.
export const plain = (text) => text.replace(/\x1b\][^\x07]*\x07|\x1b\[[0-9;?]*[A-Za-z]|\r/g, "");

// Whether a shell that shows this is the one that a transcript means. Of root's
// plain shells each names itself in its own way.
const ROOT = /^(\/.*#|bash.*#|#)$/;
export function isSame(wanted, shown) {
  const [one, other] = [wanted.trim(), shown.trim()];
  return one === other || (ROOT.test(one) && ROOT.test(other));
}

// If the text ends with a prompt: what is before it, the prompt, and whether
// one of the machine's own shells says so.
export function promptAtEnd(text) {
  return own(text) ?? other(text);
}

// A prompt that is being drawn once more is one all the while; what moves the
// cursor or clears a line does not count.
const MOVES = /\x1b\[[0-9;?]*[A-Za-z]?|[ \r]/g;
const AGAIN = /(\x1b\]133;A\x07[^\x1b\n]*\x1b\]133;B\x07(\x1b\[[0-9;?]*[A-Za-z]|[ \r])*)+$/;
function own(text) {
  const end = text.lastIndexOf(ENDS) + ENDS.length;
  const start = text.lastIndexOf(BEGINS, end);
  if (end < ENDS.length || start < 0) return null;
  const whole = text.slice(start, end);
  if (!whole.replace(MOVES, "").startsWith(text.slice(end).replace(MOVES, ""))) return null;
  return { before: text.slice(0, start).replace(AGAIN, ""), prompt: plain(whole), isOwn: true };
}

function other(text) {
  const start = text.lastIndexOf("\n") + 1;
  const last = plain(text.slice(start));
  return FORMS.test(last) ? { before: text.slice(0, start), prompt: last, isOwn: false } : null;
}

// The prompt after these words, if what has come since they were typed at that
// prompt is their whole answer. A shell draws its prompt anew while somebody
// types (when the window gets another size), and so it has to have read the
// line: there is a line feed, and it says so, or wants more. For a line without
// a command, and for a shell of the other kind, the line feed is enough. And
// "# " may begin a line of an answer: it is a prompt only if one of root's plain
// shells is awaited.
export function answered(text, words, { isOwn }, awaited = []) {
  const now = promptAtEnd(text);
  if (!now || (now.prompt === "# " && !awaited.some((it) => isSame(it, "#")))) return null;
  const isCommand = /^\s*[^\s#]/.test(words);
  const isRead = text.includes("\n") && (!isOwn || !isCommand || now.prompt === "> " || text.includes(READ));
  return isRead ? now : null;
}
