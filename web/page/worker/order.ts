/** Times of pictures where the clock of a stream goes back. */

import { EncodedPacketSink, type InputVideoTrack } from "mediabunny";

/** Packets to look ahead: more than a decoder holds and waits for. */
const AHEAD = 64;

/**
 * The times of a track's pictures in the order in which they are shown. The demuxer gives decoded pictures the times of its packets,
 * earliest first, and so mixes those before and after a step back; here each part of a stream whose clock was restarted stands by itself.
 */
export class Order {
  private readonly packets;
  /** Times of parts that are over, in order, and those of the present part, sorted. */
  private ready: number[] = [];
  private readonly waiting: number[] = [];
  private latest = -Infinity;
  private restarted = false;
  private done = false;

  constructor(track: InputVideoTrack) {
    this.packets = new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true });
  }

  /** The time of the next picture, which the demuxer takes to be `own`. */
  async next(own: number): Promise<number> {
    while (!this.done && this.ready.length === 0 && this.waiting.length <= AHEAD) await this.read();
    const time = this.ready.shift() ?? this.waiting.shift() ?? own;
    // Up to the first restart both know the same, and the demuxer knows more where pictures were lost.
    return this.restarted ? time : own;
  }

  /** Lets go of the file. */
  async close() {
    await this.packets.return();
  }

  private async read() {
    const { value: packet, done } = await this.packets.next();
    if (done || !packet) {
      this.done = true;
      return;
    }
    const { timestamp, type } = packet;
    // Key pictures come after all that was decoded before them.
    if (type === "key" && timestamp < this.latest) {
      this.ready = [...this.ready, ...this.waiting.splice(0)];
      this.restarted = true;
      this.latest = -Infinity;
    }
    this.latest = Math.max(this.latest, timestamp);
    const behind = this.waiting.findLastIndex((time) => time <= timestamp);
    this.waiting.splice(behind + 1, 0, timestamp);
  }
}
