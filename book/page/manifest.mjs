// Writes manifest.json: of each file that the page loads its size and its
// checksum, and what the machine is.
//
//   node manifest.mjs SITE KERNEL UNPACKED
//
// UNPACKED is how many bytes are packed in state.zst.
import { createHash } from "node:crypto";
import fs from "node:fs";

const [site, kernel, unpacked] = process.argv.slice(2);
const files = {};
for (const name of fs.readdirSync(site).sort()) {
  if (!/\.(gz|zst)$/.test(name)) continue;
  const bytes = fs.readFileSync(`${site}/${name}`);
  files[name] = { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}
// A bzImage says its release where its header points to.
const image = fs.readFileSync(kernel);
const start = image.readUInt16LE(0x20e) + 0x200;
const release = image.subarray(start, image.indexOf(0, start)).toString().split(" ")[0];
fs.writeFileSync(`${site}/manifest.json`, JSON.stringify({ kernel: release, unpacked: Number(unpacked), files }, null, 2) + "\n");
