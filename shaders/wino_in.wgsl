// Winograd's input transform: patches of 6x6 positions, which overlap by two, to 36 points.
//
// One invocation transforms four channels of one patch. A frame of zeros stands before the first and behind the last
// frame of every clip, so that the products need not know where a clip ends.

struct Params {
    image: vec4<u32>,     // N, T, H, W of the input
    tiles: vec4<u32>,     // rows of tiles, tiles per row; first frame of this chunk, frames of it
    frames: vec4<u32>,    // frames of a clip with its zeros; first workgroup of this dispatch
    pad: vec4<u32>,       // before T, H, W
    channels: vec4<u32>,  // in fours: stored, first, transformed
    pool: vec4<u32>,      // unused
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;         // [N, T, H, W, stored/4]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;  // [36, frames, tiles, C/4]

const SQRT2: f32 = 1.41421356;
const HALF: f32 = 0.70710678;  // square root of a half

struct Six {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
    e: vec4<f32>,
    f: vec4<f32>,
}

fn transform(v: Six) -> Six {
    let even = v.e - 2.0 * v.c;
    let odd = HALF * v.d - SQRT2 * v.b;
    let even2 = v.e - 0.5 * v.c;
    let odd2 = SQRT2 * v.d - HALF * v.b;
    return Six(
        v.a - 2.5 * v.c + v.e, even + odd, even - odd, even2 + odd2, even2 - odd2, v.b - 2.5 * v.d + v.f,
    );
}

// The value in row `y` and column `x` of the frame that begins at `frame`; zero outside.
fn value(frame: u32, y: i32, x: i32, inside: bool, c: u32) -> vec4<f32> {
    let ok = inside && y >= 0 && x >= 0 && y < i32(p.image.z) && x < i32(p.image.w);
    let at = frame + u32(y) * p.image.w + u32(x);
    return select(vec4<f32>(0.0), input[select(0u, at * p.channels.x, ok) + p.channels.y + c], ok);
}

fn column(frame: u32, y: i32, x: i32, inside: bool, c: u32) -> Six {
    return transform(Six(
        value(frame, y, x, inside, c),
        value(frame, y + 1, x, inside, c),
        value(frame, y + 2, x, inside, c),
        value(frame, y + 3, x, inside, c),
        value(frame, y + 4, x, inside, c),
        value(frame, y + 5, x, inside, c),
    ));
}

fn store(at: u32, step: u32, v: Six) {
    let row = transform(v);
    output[at] = row.a;
    output[at + step] = row.b;
    output[at + 2u * step] = row.c;
    output[at + 3u * step] = row.d;
    output[at + 4u * step] = row.e;
    output[at + 5u * step] = row.f;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let channels = p.channels.z;
    let i = (group.x + p.frames.y) * 64u + lane;
    let points = p.tiles.w * p.tiles.x * p.tiles.y * channels;  // values of a point, in fours
    if i >= points {
        return;
    }
    let c = i % channels;
    let tile = i / channels;
    let x = i32(tile % p.tiles.y * 4u) - i32(p.pad.z);
    let rows = tile / p.tiles.y;
    let y = i32(rows % p.tiles.x * 4u) - i32(p.pad.y);
    let line = p.tiles.z + rows / p.tiles.x;
    let t = i32(line % p.frames.x) - i32(p.pad.x);
    let n = line / p.frames.x;
    let inside = t >= 0 && t < i32(p.image.y) && n < p.image.x;
    let frame = (n * p.image.y + u32(t)) * p.image.z * p.image.w;

    let c0 = column(frame, y, x, inside, c);
    let c1 = column(frame, y, x + 1, inside, c);
    let c2 = column(frame, y, x + 2, inside, c);
    let c3 = column(frame, y, x + 3, inside, c);
    let c4 = column(frame, y, x + 4, inside, c);
    let c5 = column(frame, y, x + 5, inside, c);
    store(i, points, Six(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a));
    store(i + 6u * points, points, Six(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b));
    store(i + 12u * points, points, Six(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c));
    store(i + 18u * points, points, Six(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d));
    store(i + 24u * points, points, Six(c0.e, c1.e, c2.e, c3.e, c4.e, c5.e));
    store(i + 30u * points, points, Six(c0.f, c1.f, c2.f, c3.f, c4.f, c5.f));
}
