// A machine that the reader wants to go on with another day, in the browser's
// own store, with what its terminals show. A machine of another build is of no
// use to this one.
import { Trouble } from "./loader.js";

const NAME = "page-machine";

function store(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("kept");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const request = act(opening.result.transaction("kept", mode).objectStore("kept"));
      request.onsuccess = () => { opening.result.close(); resolve(request.result); };
      request.onerror = () => { opening.result.close(); reject(request.error); };
    };
  });
}

const through = async (bytes, stream) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
const build = (manifest) => manifest.files["state.zst"].sha256;

export async function keep(state, screens, manifest) {
  const packed = await through(state, new CompressionStream("gzip"));
  await store("readwrite", (it) => it.put({ build: build(manifest), packed, screens }, "machine"));
  return packed.length;
}

export const isKept = () => store("readonly", (it) => it.count("machine")).then(Boolean, () => false);

export async function kept(manifest) {
  const found = await store("readonly", (it) => it.get("machine"));
  if (found?.build !== build(manifest)) {
    throw new Trouble("The machine that this browser keeps was made by another copy of the book.",
      "Start a new one; Forget takes the old one away.");
  }
  return { state: await through(found.packed, new DecompressionStream("gzip")), screens: found.screens };
}

export async function forget() {
  await store("readwrite", (it) => it.delete("machine"));
}
