/** MP4 files as cameras and editors write them, and ffmpeg does not: other display matrices and edit lists. */

import { readFileSync, writeFileSync } from "node:fs";

/** A copy of an MP4 file whose first track is shown by the display matrix `[a, b, c, d]`. */
export function withMatrix(from, to, [a, b, c, d]) {
  const bytes = readFileSync(from);
  const at = bytes.indexOf("tkhd") + 4;
  const place = at + (bytes[at] === 1 ? 36 : 24) + 16;
  [a, b, 0, c, d, 0].forEach((value, i) => bytes.writeInt32BE(value * 65536, place + 4 * i));
  writeFileSync(to, bytes);
  return to;
}

/** A copy of an MP4 file, its index at the end, whose first track has these edits: milliseconds, and the tick of the medium or -1. */
export function withEdits(from, to, edits) {
  const bytes = readFileSync(from);
  const parents = [];
  let [at, end] = [0, bytes.length];
  for (const name of ["moov", "trak", "edts", "elst"]) {
    while (bytes.toString("latin1", at + 4, at + 8) !== name) {
      at += bytes.readUInt32BE(at);
      if (at >= end) throw new Error(`${from} has no ${name}`);
    }
    parents.push(at);
    end = at + bytes.readUInt32BE(at);
    if (name !== "elst") at += 8;
  }
  const list = Buffer.alloc(16 + 12 * edits.length);
  list.writeUInt32BE(list.length, 0);
  list.write("elst", 4, "latin1");
  list.writeUInt32BE(edits.length, 12);
  edits.forEach(([milliseconds, tick], i) => {
    list.writeUInt32BE(milliseconds, 16 + 12 * i);
    list.writeInt32BE(tick, 20 + 12 * i);
    list.writeUInt32BE(65536, 24 + 12 * i);
  });
  const longer = list.length - (end - at);
  for (const parent of parents.slice(0, -1)) bytes.writeUInt32BE(bytes.readUInt32BE(parent) + longer, parent);
  writeFileSync(to, Buffer.concat([bytes.subarray(0, at), list, bytes.subarray(end)]));
  return to;
}
