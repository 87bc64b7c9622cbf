/** Video files to frames: the container through mediabunny, the codec through the browser, pictures through our own module. */

import { ALL_FORMATS, BlobSource, Input, VideoSampleSink, type VideoSample } from "mediabunny";
import { Pictures, orientation, type FrameLayout, type Orientation } from "../../pkg/i3d_web";
import type { VideoDetails } from "../protocol";
import { pixelAspect } from "./aspect";
import { Failure } from "./failure";
import { Order } from "./order";
import { pictures, type Pictures as Track } from "./track";

/** A decoded frame. Its samples are copied when somebody wants them; it must be closed. */
export interface Frame {
  seconds: number;
  /** How long it is shown; 0 where the file does not say. */
  duration: number;
  copy(): Promise<{ layout: FrameLayout; bytes: Uint8Array }>;
  close(): void;
}

/** An open video. */
export interface Video {
  details: VideoDetails;
  /** When the pictures end by the file's index, where it has one. */
  promised: number | null;
  /** Whether the file ends before its container says it does. */
  cut: boolean;
  /** The frames in the order of their time, from the first on; the decoder runs a few frames ahead and no further. */
  frames(): AsyncGenerator<Frame, void>;
  close(): void;
}

const PICTURES = ["image/gif", "image/webp", "image/png", "image/jpeg", "image/bmp"];

/** The formats of samples that the module reads as they are. */
const OWN = ["I420", "NV12", "RGBA", "RGBX", "BGRA", "BGRX"] as const;

/** Codecs by the names that people know. */
const CODECS: Record<string, string> = { avc: "H.264", hevc: "HEVC (H.265)", vp8: "VP8", vp9: "VP9", av1: "AV1", prores: "ProRes" };

/** Opens a file by its content. */
export async function open(file: Blob, name: string): Promise<Video> {
  if (file.size === 0) throw new Failure("video", `${name} is empty (0 bytes). Copy or download it again.`);
  if (PICTURES.includes(await pictureType(file))) return openPictures(file, name);
  const input = new Input({ formats: ALL_FORMATS, source: new BlobSource(file) });
  if (!(await input.canRead())) {
    throw new Failure(
      "video",
      `${name} is no video that this page can read. It takes MP4, MOV, WebM, MKV, MPEG-TS, GIF and pictures; if it is a video of another kind, convert it to MP4 first.`,
    );
  }
  try {
    return await openTrack(input, file, name);
  } catch (thrown) {
    input.dispose();
    if (thrown instanceof Failure) throw thrown;
    throw new Failure("video", `${name} is damaged: ${reason(thrown)}. Copy or download it again.`);
  }
}

async function openTrack(input: Input, file: Blob, name: string): Promise<Video> {
  const found = await pictures(input, file);
  const track = found?.tracks[0];
  if (!found || !track) throw new Failure("video", `${name} holds no video, only sound. Choose a file with pictures.`);
  const codec = await track.getCodec();
  const internal = String((await track.getInternalCodecId()) ?? "unknown");
  const known = codec ? (CODECS[codec] ?? codec) : internal;
  if (typeof VideoDecoder === "undefined") {
    throw new Failure(
      "codec",
      `This browser cannot decode video files (it lacks WebCodecs), so ${name} (${known}) cannot be read. Use a current Chrome, Edge, Firefox or Safari over https, or give a GIF.`,
    );
  }
  if (!codec || !(await track.canDecode())) {
    throw new Failure(
      "codec",
      `This browser cannot decode ${known}, the codec of ${name}. Another browser may (Chrome and Safari decode HEVC where the hardware does), or convert the video to H.264.`,
    );
  }
  const { start, end, clock, promised, cut, statesDurations } = found;
  // A few packets are enough for the rate, and do not read through a file of hours.
  const packets = await track.computePacketStats(50);
  const format = await input.getFormat();
  const [a, b, , c, d] = await track.getTransformationMatrix();
  const upright = orientation(a, b, c, d);
  const [width, height] = found.pixelAspect ?? [1, 1];
  const details: VideoDetails = {
    frames: null,
    fps: Number.isFinite(packets.averagePacketRate) && packets.averagePacketRate > 0 ? packets.averagePacketRate : null,
    width: await track.getCodedWidth(),
    height: await track.getCodedHeight(),
    ...upright,
    pixel_aspect: { width, height },
    states_durations: statesDurations,
    duration_seconds: Number.isFinite(end) && end > start ? Math.round((end - start) * 1e6) / 1e6 : null,
    codec: known,
    pixel_format: null,
    container: format.name,
    start_seconds: start,
    clock_start: clock.zero,
  };
  // What the stream says itself: the browser's frames name BT.709 also where it says nothing.
  const color = await track.getColorSpace();
  const layout: Layout = { ...upright, pixelAspect: found.pixelAspect, matrix: color.matrix ?? null, fullRange: color.fullRange ?? null };
  return { details, promised, cut, frames: () => trackFrames(found, layout, name), close: () => input.dispose() };
}

/** What is the same for all frames of a track. */
type Layout = Orientation & Pick<FrameLayout, "pixelAspect" | "matrix" | "fullRange">;

async function* trackFrames({ tracks, clock, statesDurations }: Track, layout: Layout, name: string): AsyncGenerator<Frame, void> {
  let last: number | null = null;
  try {
    for (const track of tracks) {
      // An index that states durations has no steps back.
      const order = statesDurations ? null : new Order(track);
      try {
        for await (const sample of new VideoSampleSink(track).samples()) {
          const seconds = clock.at(order ? await order.next(sample.timestamp) : sample.timestamp);
          // Frames outside an edit list are there to decode the others, and not to be shown.
          if (seconds === null) {
            sample.close();
            continue;
          }
          last = seconds;
          yield new SampleFrame(sample, seconds, layout);
        }
      } finally {
        await order?.close();
      }
    }
  } catch (thrown) {
    const where = last === null ? "at its first frame" : `after ${last.toFixed(2)} s`;
    throw new Failure("broken", `${name} is damaged ${where}: ${reason(thrown)}`);
  }
}

/** A frame of the browser's decoder. */
class SampleFrame implements Frame {
  readonly duration: number;

  constructor(
    private readonly sample: VideoSample,
    readonly seconds: number,
    private readonly layout: Layout,
  ) {
    this.duration = sample.duration;
  }

  async copy() {
    const { sample } = this;
    const frame = sample.toVideoFrame();
    try {
      // Formats that we have no reader for (10 bits, alpha, a texture of the GPU) are converted by the browser.
      const { width, height } = frame.visibleRect ?? { width: frame.codedWidth, height: frame.codedHeight };
      const own = OWN.find((format) => format === frame.format);
      const options: VideoFrameCopyToOptions = own ? {} : { format: "RGBA", colorSpace: "srgb" };
      const bytes = new Uint8Array(frame.allocationSize(options));
      if (!own && bytes.length !== 4 * width * height) {
        // A browser that cannot convert copies what it has, whatever it is asked for.
        throw new Failure("codec", `This browser gives pictures of the format ${frame.format ?? "unknown"}, which this page cannot read. Convert the video to 8-bit H.264.`);
      }
      const planes = await frame.copyTo(bytes, options);
      const shape = this.layout.pixelAspect ?? pixelAspect(width, height, frame.displayWidth, frame.displayHeight);
      const layout: FrameLayout = { ...this.layout, format: own ?? "RGBA", width, height, planes, seconds: this.seconds, pixelAspect: shape };
      return { layout, bytes };
    } finally {
      frame.close();
    }
  }

  close() {
    this.sample.close();
  }
}

/** A GIF or another picture: the module's decoder gives what the command line's does. */
async function openPictures(file: Blob, name: string): Promise<Video> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const opened = () => new Pictures(name, bytes);
  // Times of an animation stand only in its frames.
  const counted = opened();
  let frames = 0;
  let end = 0;
  let step = 0.1;
  try {
    for (let at = counted.advance(); at !== undefined; at = counted.advance()) {
      frames += 1;
      if (frames > 1) step = at - end;
      end = at;
    }
  } catch {
    // Frames before a break are worth a look; the run says what broke.
  }
  const info = counted.info();
  counted.free();
  const duration = end + step;
  const details: VideoDetails = {
    ...info,
    frames,
    fps: frames > 1 ? frames / duration : null,
    duration_seconds: duration,
    codec: (info.codec ?? "picture").toUpperCase(),
    container: "picture",
    start_seconds: 0,
    clock_start: 0,
  };
  return { details, promised: null, cut: false, frames: () => pictureFrames(opened(), details), close: () => undefined };
}

async function* pictureFrames(pictures: Pictures, { width, height }: VideoDetails): AsyncGenerator<Frame, void> {
  try {
    for (let seconds = pictures.advance(); seconds !== undefined; seconds = pictures.advance()) {
      const at = seconds;
      const bytes = pictures.rgb();
      const planes = [{ offset: 0, stride: 3 * width }];
      const layout: FrameLayout = { format: "RGB", width, height, planes, seconds: at, fullRange: true };
      yield { seconds: at, duration: 0, copy: async () => ({ layout, bytes }), close: () => undefined };
    }
  } finally {
    pictures.free();
  }
}

/** The type of a picture by its first bytes; browsers go by the name, which is wrong often enough. */
async function pictureType(file: Blob): Promise<string> {
  const start = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const text = String.fromCharCode(...start);
  if (text.startsWith("GIF8")) return "image/gif";
  if (text.startsWith("\x89PNG")) return "image/png";
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (text.startsWith("RIFF") && text.slice(8) === "WEBP") return "image/webp";
  if (text.startsWith("BM")) return "image/bmp";
  return "";
}

function reason(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.replace(/\.$/, "");
}
