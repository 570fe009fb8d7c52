// SHA-256 (FIPS 180-4) in hexadecimal digits. A browser has it, but gives it
// to pages from https and from the machine itself only, and this book may come
// from the laptop of the one who teaches.
export async function sha256(bytes) {
  if (globalThis.crypto?.subtle) return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  return plainly(bytes);
}

const hex = (bytes) => Array.from(bytes, (it) => it.toString(16).padStart(2, "0")).join("");

// The first 32 bits of the fractional parts of the roots of the first primes.
const primes = (count) => {
  const found = [];
  for (let it = 2; found.length < count; it++) if (found.every((prime) => it % prime)) found.push(it);
  return found;
};
const fraction = (number) => ((number - Math.floor(number)) * 2 ** 32) >>> 0;

export function plainly(bytes) {
  const keys = Uint32Array.from(primes(64), (it) => fraction(Math.cbrt(it)));
  const state = Uint32Array.from(primes(8), (it) => fraction(Math.sqrt(it)));
  const length = bytes.length;
  const padded = new Uint8Array(Math.ceil((length + 9) / 64) * 64);
  padded.set(bytes);
  padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(length / 2 ** 29));
  view.setUint32(padded.length - 4, length * 8 >>> 0);
  const words = new Uint32Array(64);
  const turn = (it, by) => it >>> by | it << 32 - by;
  for (let start = 0; start < padded.length; start += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(start + 4 * i);
    for (let i = 16; i < 64; i++) {
      const early = words[i - 15];
      const late = words[i - 2];
      words[i] = words[i - 16] + (turn(early, 7) ^ turn(early, 18) ^ early >>> 3)
        + words[i - 7] + (turn(late, 17) ^ turn(late, 19) ^ late >>> 10);
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (e & f ^ ~e & g) + keys[i] + words[i] | 0;
      const two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, d + one | 0, c, b, a, one + two | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((it, i) => { state[i] += it; });
  }
  return hex(new Uint8Array(Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) =>
    [state[i] >>> 24, state[i] >>> 16 & 255, state[i] >>> 8 & 255, state[i] & 255]))));
}
