/** What containers say that the demuxer leaves out: where edit lists end, the exact shape of pixels, how much of the sound is run-in. */

/** What is known of a track. */
export interface TrackFacts {
  /** Width and height of a pixel, where the container says so. */
  pixelAspect: [number, number] | null;
  /** The parts of the medium that are shown, in the order in which they are shown; none where all of it is. */
  edits: Edit[];
  /** Ticks per second in which edits count. */
  timescale: number;
  /** Seconds by which packets are earlier than they are stamped: what a decoder needs to run in. */
  delay: number;
}

/** A part of a medium that is shown, in ticks of its track. */
export interface Edit {
  /** Its first tick, and the first one behind it. */
  from: number;
  to: number;
  /** When it begins to be shown, and the tick that is shown then. */
  at: number;
  origin: number;
}

/** What is known of a file. */
export interface FileFacts {
  tracks: Map<number, TrackFacts>;
  /** Whether the file ends before its container says it does. */
  cut: boolean;
}

/** Index tables beyond this are not read; those of a day of video have 50 MB. */
const LARGEST_INDEX = 1 << 28;

/** Boxes or elements to look at on the top level: two for each of a day's fragments of a second. */
const MOST = 200_000;

/** Reads the facts of an MP4, MOV, Matroska or WebM file; of others there are none. */
export async function facts(file: Blob): Promise<FileFacts> {
  const start = new DataView(await file.slice(0, 16).arrayBuffer());
  const none: FileFacts = { tracks: new Map(), cut: false };
  if (start.byteLength < 16) return none;
  try {
    return start.getUint32(0) === 0x1a45dfa3 ? await matroska(file) : await boxes(file);
  } catch (thrown) {
    // What is damaged here the demuxer tells in its own words.
    if (thrown instanceof RangeError) return none;
    throw thrown;
  }
}

/** The seconds at which an edit list shows a time of the medium, both in ticks; nothing where it does not. */
export function shownAt({ edits, timescale }: TrackFacts, tick: number): number | null {
  const edit = edits.find(({ from, to }) => tick >= from && tick < to);
  return edit ? (edit.at + tick - edit.origin) / timescale : null;
}

/** Where the demuxer begins to count: it knows the first edit alone. */
export function firstTick({ edits: [first] }: TrackFacts): number {
  return first ? first.from - first.at : 0;
}

// ISO base media files (ISO/IEC 14496-12)

interface Box {
  type: string;
  body: DataView;
}

async function boxes(file: Blob): Promise<FileFacts> {
  const tracks: FileFacts["tracks"] = new Map();
  let at = 0;
  let cut = false;
  for (let count = 0; at + 8 <= file.size && count < MOST; count += 1) {
    const header = new DataView(await file.slice(at, at + 16).arrayBuffer());
    const long = header.getUint32(0) === 1;
    if (long && header.byteLength < 16) break;
    const size = long ? Number(header.getBigUint64(8)) : header.getUint32(0);
    // Zero is for a box that goes on to the end.
    if (size < 8) break;
    const type = ascii(header, 4);
    // Other boxes may be what some camera appended, which has any size.
    cut ||= (type === "mdat" || type === "moof") && at + size > file.size;
    if (type === "moov" && size <= LARGEST_INDEX) {
      const body = new DataView(await file.slice(at + (long ? 16 : 8), at + size).arrayBuffer());
      movie(body, tracks);
    }
    at += size;
  }
  return { tracks, cut };
}

function movie(moov: DataView, tracks: FileFacts["tracks"]) {
  const parts = children(moov);
  const header = find(parts, "mvhd");
  const timescale = header ? header.getUint32(header.getUint8(0) === 1 ? 20 : 12) : 0;
  // A fragmented file is longer than its edit list can know.
  const fragmented = find(parts, "mvex") !== null;
  for (const { type, body } of parts) {
    if (type !== "trak") continue;
    const track = children(body);
    const [head, media] = [find(track, "tkhd"), find(track, "mdia")];
    const mediaHeader = media && find(children(media), "mdhd");
    if (!head || !media || !mediaHeader) continue;
    const id = head.getUint32(head.getUint8(0) === 1 ? 20 : 12);
    const ticks = mediaHeader.getUint32(mediaHeader.getUint8(0) === 1 ? 20 : 12);
    const list = inside(body, "edts", "elst");
    tracks.set(id, {
      pixelAspect: pixelAspect(inside(media, "minf", "stbl", "stsd")),
      edits: list && timescale > 0 ? edits(list, ticks / timescale, fragmented) : [],
      timescale: ticks,
      delay: 0,
    });
  }
}

/** The entries of an edit list (8.6.6), `ratio` ticks of the track to one of the movie. */
function edits(list: DataView, ratio: number, fragmented: boolean): Edit[] {
  const long = list.getUint8(0) === 1;
  const count = list.getUint32(4);
  const found: Edit[] = [];
  let at = 0;
  for (let entry = 0, place = 8; entry < count; entry += 1, place += long ? 20 : 12) {
    const movieTicks = long ? Number(list.getBigUint64(place)) : list.getUint32(place);
    const from = long ? Number(list.getBigInt64(place + 8)) : list.getInt32(place + 4);
    const length = Math.round(movieTicks * ratio);
    // Slow motion is not known to the demuxer; then all of the medium is shown.
    if (list.getInt16(place + (long ? 16 : 8)) !== 1) return [];
    // An empty edit moves what comes; a length of zero is for all that there is.
    if (from >= 0) found.push({ from, to: fragmented || length === 0 ? Infinity : from + length, at, origin: from });
    at += length;
  }
  return found;
}

/** The `pasp` box of the first sample entry (12.1.4). */
function pixelAspect(descriptions: DataView | null): [number, number] | null {
  if (!descriptions) return null;
  const [entry] = children(part(descriptions, 8));
  if (!entry || entry.body.byteLength < 78) return null;
  const box = find(children(part(entry.body, 78)), "pasp");
  if (!box) return null;
  return reduced(box.getUint32(0), box.getUint32(4));
}

/** A ratio in its smallest terms; nothing where there is none. */
function reduced(width: number, height: number): [number, number] | null {
  if (!(width > 0 && height > 0)) return null;
  let [a, b] = [width, height];
  while (b > 0) [a, b] = [b, a % b];
  return [width / a, height / a];
}

function children(body: DataView): Box[] {
  const found: Box[] = [];
  for (let at = 0; at + 8 <= body.byteLength; ) {
    const short = body.getUint32(at);
    const long = short === 1;
    const size = short === 0 ? body.byteLength - at : long ? Number(body.getBigUint64(at + 8)) : short;
    if (size < 8 || at + size > body.byteLength) break;
    const head = long ? 16 : 8;
    found.push({ type: ascii(body, at + 4), body: part(body, at + head, size - head) });
    at += size;
  }
  return found;
}

function find(boxes: Box[], type: string): DataView | null {
  return boxes.find((box) => box.type === type)?.body ?? null;
}

function inside(body: DataView, ...types: string[]): DataView | null {
  return types.reduce<DataView | null>((now, type) => now && find(children(now), type), body);
}

function part(view: DataView, at: number, length = view.byteLength - at): DataView {
  return new DataView(view.buffer, view.byteOffset + at, length);
}

function ascii(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}

// Matroska and WebM (RFC 8794, RFC 9559)

const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const TIMESTAMP_SCALE = 0x2ad7b1;
const TRACKS = 0x1654ae6b;
const TRACK = 0xae;
const TRACK_NUMBER = 0xd7;
const CODEC_DELAY = 0x56aa;
const VIDEO = 0xe0;
const PIXEL_WIDTH = 0xb0;
const PIXEL_HEIGHT = 0xba;
const DISPLAY_WIDTH = 0x54b0;
const DISPLAY_HEIGHT = 0x54ba;
const DISPLAY_UNIT = 0x54b2;

/** The display unit from which on sizes say nothing. */
const UNKNOWN_UNIT = 4;
const CLUSTER = 0x1f43b675;

interface Element {
  id: number;
  /** Where its content begins. */
  at: number;
  /** Bytes of its content; infinite where it is not known. */
  size: number;
}

async function matroska(file: Blob): Promise<FileFacts> {
  const tracks: FileFacts["tracks"] = new Map();
  let at = 0;
  let end = Infinity;
  let scale = 1e6;
  for (let count = 0; at < file.size && count < MOST; count += 1) {
    const found = element(new DataView(await file.slice(at, at + 16).arrayBuffer()), 0);
    if (!found || found.id === CLUSTER) break;
    at += found.at;
    if (found.id === SEGMENT) {
      end = at + found.size;
      continue;
    }
    if (found.id === INFO || found.id === TRACKS) {
      const body = new DataView(await file.slice(at, at + Math.min(found.size, LARGEST_INDEX)).arrayBuffer());
      if (found.id === INFO) scale = value(body, TIMESTAMP_SCALE) ?? scale;
      else for (const track of elements(body)) if (track.id === TRACK) trackEntry(part(body, track.at, track.size), tracks);
    }
    at += found.size;
  }
  // Times of blocks have no finer steps.
  for (const track of tracks.values()) track.delay = (Math.round(track.delay / scale) * scale) / 1e9;
  return { tracks, cut: Number.isFinite(end) && end > file.size };
}

/** What a track says of itself; its delay in nanoseconds. */
function trackEntry(track: DataView, tracks: FileFacts["tracks"]) {
  const number = value(track, TRACK_NUMBER);
  if (number === null) return;
  const found = elements(track).find(({ id }) => id === VIDEO);
  const video = found && part(track, found.at, found.size);
  tracks.set(number, { pixelAspect: video ? shape(video) : null, edits: [], timescale: 1, delay: value(track, CODEC_DELAY) ?? 0 });
}

/** The shape of pixels by the size at which a picture is shown. */
function shape(video: DataView): [number, number] | null {
  if ((value(video, DISPLAY_UNIT) ?? 0) >= UNKNOWN_UNIT) return null;
  const [width, height] = [value(video, PIXEL_WIDTH) ?? 0, value(video, PIXEL_HEIGHT) ?? 0];
  return reduced((value(video, DISPLAY_WIDTH) ?? 0) * height, (value(video, DISPLAY_HEIGHT) ?? 0) * width);
}

/** The element whose header stands at `at`. */
function element(view: DataView, at: number): Element | null {
  const id = variable(view, at, true);
  const size = id && variable(view, at + id.bytes, false);
  if (!id || !size) return null;
  const unknown = size.value === 2 ** (7 * size.bytes) - 1;
  return { id: id.value, at: at + id.bytes + size.bytes, size: unknown ? Infinity : size.value };
}

function elements(body: DataView): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < body.byteLength; ) {
    const next = element(body, at);
    if (!next || next.at + next.size > body.byteLength) break;
    found.push(next);
    at = next.at + next.size;
  }
  return found;
}

/** The whole number of a child element. */
function value(body: DataView, id: number): number | null {
  const found = elements(body).find((element) => element.id === id);
  if (!found || found.size > 8) return null;
  let value = 0;
  for (let i = 0; i < found.size; i += 1) value = value * 256 + body.getUint8(found.at + i);
  return value;
}

/** A number of variable length; an identifier keeps the bit that marks its length. */
function variable(view: DataView, at: number, keepMarker: boolean): { value: number; bytes: number } | null {
  if (at >= view.byteLength) return null;
  const first = view.getUint8(at);
  const bytes = Math.clz32(first) - 23;
  if (bytes > 8 || at + bytes > view.byteLength) return null;
  let value = keepMarker ? first : first & (0xff >> bytes);
  for (let i = 1; i < bytes; i += 1) value = value * 256 + view.getUint8(at + i);
  return { value, bytes };
}
