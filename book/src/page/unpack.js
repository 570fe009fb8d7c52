// Unpacks what zstd has packed. v86's program has a zstd of its own; here it
// does nothing else, in a worker: on a second processor, if there is one, and
// the memory that it takes goes with the worker.
function work() {
  onmessage = ({ data: { wasm, bytes, size } }) => {
    // What a processor would ask for, and nobody does.
    const env = Object.fromEntries(WebAssembly.Module.imports(wasm).map(({ name, kind }) => [name,
      kind === "table" ? new WebAssembly.Table({ element: "anyfunc", initial: 1024 }) : () => { throw new Error(name); }]));
    const { exports } = new WebAssembly.Instance(wasm, { env });
    const packed = exports.zstd_create_ctx(bytes.length);
    new Uint8Array(exports.memory.buffer).set(bytes, exports.zstd_get_src_ptr(packed) >>> 0);
    const start = exports.zstd_read(packed, size) >>> 0;
    const unpacked = exports.memory.buffer.slice(start, start + size);
    postMessage(unpacked, [unpacked]);
  };
}

// The `size` bytes that are packed in these: an ArrayBuffer. `wasm` is v86's.
export async function unpack(wasm, bytes, size) {
  // Of its source, not of a file: whoever begins anew may have no network by then.
  const address = URL.createObjectURL(new Blob([`(${work})()`], { type: "text/javascript" }));
  const worker = new Worker(address);
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage({ wasm, bytes, size });
    });
  } finally {
    worker.terminate();
    URL.revokeObjectURL(address);
  }
}
