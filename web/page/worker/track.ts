/** Which of several video tracks is watched, and when its pictures are shown. */

import { EncodedPacketSink, IsobmffInputFormat, MatroskaInputFormat, type Input, type InputTrack, type InputVideoTrack } from "mediabunny";
import { facts, firstTick, shownAt, type Edit, type FileFacts, type TrackFacts } from "./container";

/** What ffmpeg gives the default track for its choice, in pixels of a picture. */
const DEFAULT_ADVANTAGE = 5_000_000;

/** Packets that may be earlier than one before them: decoders reorder no more. */
const REORDERED = 16;

/** The pictures of a file and their clock. */
export interface Pictures {
  /** The track, and those of the same number in later parts of a concatenated file. */
  tracks: InputVideoTrack[];
  clock: Clock;
  /** The time of the first picture, and of the end of the last. */
  start: number;
  end: number;
  /** The end that the file's index promises, whether or not the pictures are there. */
  promised: number | null;
  /** Whether the file ends before its container says it does. */
  cut: boolean;
  /** Whether the container says of every frame how long it is shown. */
  statesDurations: boolean;
  /** Shape of the pixels where the container says so. */
  pixelAspect: [number, number] | null;
}

/** The pictures that are watched: those that the command line takes. Nothing where the file has none. */
export async function pictures(input: Input, file: Blob): Promise<Pictures | null> {
  const videos = await input.getVideoTracks();
  const track = await chosen(videos);
  if (!track) return null;
  const known = await facts(file);
  for (const video of videos) await settle(video, known.tracks.get(video.id));
  const format = await input.getFormat();
  const boxes = format instanceof IsobmffInputFormat;
  // The clock begins with the first of all tracks, and counts in steps of this one.
  const steps = await track.getTimeResolution();
  const zero = Math.round((await start(await input.getTracks(), known, boxes)) * steps) / steps;
  const clock = new Clock(zero, boxes, known.tracks.get(track.id));
  const times = { start: (await first(track, clock)) ?? 0, end: clock.end(await track.computeDuration()) };
  // Matroska's length is that of the longest track; it says something where the file lacks its end.
  const stated = format instanceof MatroskaInputFormat && known.cut ? await track.getDurationFromMetadata() : null;
  return {
    tracks: videos.filter((other) => other.id === track.id),
    clock,
    ...times,
    promised: boxes ? times.end : stated === null ? null : stated - clock.zero,
    cut: known.cut,
    statesDurations: boxes,
    pixelAspect: known.tracks.get(track.id)?.pixelAspect ?? null,
  };
}

/** The times of a track on the clock that players show: it begins with the first of all tracks. */
export class Clock {
  constructor(
    /** Where it begins on the demuxer's clock. */
    readonly zero: number,
    private readonly boxes: boolean,
    private readonly facts: TrackFacts | undefined,
  ) {}

  /** When a frame is shown; nothing where it is there to decode others. */
  at(timestamp: number): number | null {
    const seconds = shown(timestamp, this.boxes, this.facts);
    return seconds === null ? null : seconds - this.zero;
  }

  /** The end of a track that ends at `timestamp`. */
  end(timestamp: number): number {
    const { facts } = this;
    if (!facts || facts.edits.length === 0) return timestamp - (facts?.delay ?? 0) - this.zero;
    const medium = Math.round(timestamp * facts.timescale) + firstTick(facts);
    const ends = facts.edits.filter(({ from }) => from < medium).map(({ to, at, origin }) => at + Math.min(to, medium) - origin);
    return Math.max(0, ...ends) / facts.timescale - this.zero;
  }
}

/** When a packet is shown on the demuxer's clock. */
function shown(timestamp: number, boxes: boolean, facts: TrackFacts | undefined): number | null {
  if (facts && facts.edits.length > 0) return shownAt(facts, Math.round(timestamp * facts.timescale) + firstTick(facts));
  const seconds = timestamp - (facts?.delay ?? 0);
  return boxes && seconds < 0 ? null : seconds;
}

/** Moves edits to where players have them: the first picture of an edit stands at its start, wherever between two pictures that is. */
async function settle(track: InputVideoTrack, facts: TrackFacts | undefined): Promise<void> {
  const edits = facts?.edits.filter(({ to }) => Number.isFinite(to)) ?? [];
  if (!facts || edits.length === 0) return;
  const earliest = new Map<Edit, number>();
  let behind = 0;
  for await (const { timestamp } of new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true })) {
    const tick = Math.round(timestamp * facts.timescale) + firstTick(facts);
    const edit = edits.find(({ from, to }) => tick >= from && tick < to);
    if (edit) earliest.set(edit, Math.min(tick, earliest.get(edit) ?? Infinity));
    if (edits.length === 1 && earliest.size > 0 && (behind += 1) > REORDERED) break;
  }
  for (const [edit, tick] of earliest) edit.origin = tick;
}

/** The track that ffmpeg would choose: the largest picture, with an advantage for the default track; previews beside a video come last. */
async function chosen(tracks: InputVideoTrack[]): Promise<InputVideoTrack | null> {
  if (tracks.length < 2) return tracks[0] ?? null;
  const ranked = await Promise.all(
    tracks.map(async (track) => {
      const { packetCount: packets } = await track.computePacketStats(2);
      const seconds = packets > 0 ? (await track.computeDuration()) - (await track.getFirstTimestamp()) : 0;
      const advantage = (await track.getDisposition()).default ? DEFAULT_ADVANTAGE : 0;
      return { track, packets, seconds, score: (await track.getCodedWidth()) * (await track.getCodedHeight()) + advantage };
    }),
  );
  const longest = Math.max(...ranked.map(({ seconds }) => seconds));
  const rank = ({ packets, seconds }: (typeof ranked)[number]) => (packets === 0 ? 0 : packets === 1 || seconds < Math.min(longest / 20, 1) ? 1 : 2);
  // Sorting is stable: of equals the first comes first.
  ranked.sort((a, b) => rank(b) - rank(a) || b.score - a.score);
  return ranked[0]?.track ?? null;
}

/** Where the file's clock begins, in whole microseconds as ffmpeg has it; what a decoder needs to run in is not before zero. */
async function start(tracks: InputTrack[], known: FileFacts, boxes: boolean): Promise<number> {
  const starts = await Promise.all(
    tracks.map(async (track) => {
      const facts = known.tracks.get(track.id);
      if (track.isVideoTrack()) return first(track, { at: (timestamp) => shown(timestamp, boxes, facts) });
      // Sound may begin within a packet.
      const timestamp = await firstTimestamp(track);
      if (timestamp === null) return null;
      const [edit] = facts?.edits ?? [];
      const begin = edit && facts ? edit.at / facts.timescale : 0;
      return boxes ? Math.max(begin, timestamp) : timestamp - (facts?.delay ?? 0);
    }),
  );
  const there = starts.filter((seconds) => seconds !== null);
  return there.length > 0 ? Math.max(0, Math.round(Math.min(...there) * 1e6) / 1e6) : 0;
}

async function firstTimestamp(track: InputTrack): Promise<number | null> {
  const packet = await new EncodedPacketSink(track).getFirstPacket({ metadataOnly: true });
  return packet?.timestamp ?? null;
}

/** The time of the first picture that is shown. */
async function first(track: InputVideoTrack, clock: Pick<Clock, "at">): Promise<number | null> {
  let earliest: number | null = null;
  let behind = 0;
  for await (const { timestamp } of new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true })) {
    const seconds = clock.at(timestamp);
    if (seconds !== null && (earliest === null || seconds < earliest)) earliest = seconds;
    if (earliest !== null && (behind += 1) > REORDERED) break;
  }
  return earliest;
}
