// Winograd's output transform: 36 products to tiles of 4x4 outputs, with bias and ReLU, written at a channel offset.
//
// One invocation transforms four channels of one tile. Products between two clips are skipped.

struct Params {
    image: vec4<u32>,     // N, T, H, W of the output
    tiles: vec4<u32>,     // rows of tiles, tiles per row; first frame of this chunk, frames of it
    frames: vec4<u32>,    // frames of a clip with its zeros; first workgroup of this dispatch; 1 for ReLU; first bias
    pad: vec4<u32>,       // unused
    channels: vec4<u32>,  // in fours: stored, first, transformed
    pool: vec4<u32>,      // unused
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;         // [36, frames, tiles, C/4]
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;          // [C/4] from the first bias on
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;  // [N, T, H, W, stored/4]

const SQRT2: f32 = 1.41421356;
const HALF: f32 = 0.70710678;  // square root of a half

struct Four {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

fn transform(m0: vec4<f32>, m1: vec4<f32>, m2: vec4<f32>, m3: vec4<f32>, m4: vec4<f32>, m5: vec4<f32>) -> Four {
    let sum = m1 + m2;
    let difference = m1 - m2;
    let sum2 = m3 + m4;
    let difference2 = m3 - m4;
    return Four(
        m0 + sum + sum2,
        HALF * difference + SQRT2 * difference2,
        0.5 * sum + 2.0 * sum2,
        0.5 * HALF * difference + 2.0 * SQRT2 * difference2 + m5,
    );
}

// Points of one column of the 6x6 points, which lie `step` apart.
fn column(at: u32, step: u32) -> Four {
    return transform(
        input[at], input[at + 6u * step], input[at + 12u * step], input[at + 18u * step], input[at + 24u * step],
        input[at + 30u * step],
    );
}

fn store(y: u32, x: u32, row: u32, b: vec4<f32>, c: u32, v: Four) {
    if y < p.image.z {
        let at = ((row + y) * p.image.w + x) * p.channels.x + p.channels.y + c;
        let floor = select(-3.4e38, 0.0, p.frames.z == 1u);
        output[at] = max(v.a + b, vec4<f32>(floor));
        if x + 1u < p.image.w {
            output[at + p.channels.x] = max(v.b + b, vec4<f32>(floor));
        }
        if x + 2u < p.image.w {
            output[at + 2u * p.channels.x] = max(v.c + b, vec4<f32>(floor));
        }
        if x + 3u < p.image.w {
            output[at + 3u * p.channels.x] = max(v.d + b, vec4<f32>(floor));
        }
    }
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
    let x = tile % p.tiles.y * 4u;
    let rows = tile / p.tiles.y;
    let y = rows % p.tiles.x * 4u;
    let line = p.tiles.z + rows / p.tiles.x;
    let t = line % p.frames.x;
    let n = line / p.frames.x;
    if t >= p.image.y || n >= p.image.x {
        return;
    }
    let c0 = column(i, points);
    let c1 = column(i + points, points);
    let c2 = column(i + 2u * points, points);
    let c3 = column(i + 3u * points, points);
    let c4 = column(i + 4u * points, points);
    let c5 = column(i + 5u * points, points);
    let b = bias[p.frames.w + c];
    let row = (n * p.image.y + t) * p.image.z;
    store(y, x, row, b, c, transform(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a));
    store(y + 1u, x, row, b, c, transform(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b));
    store(y + 2u, x, row, b, c, transform(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c));
    store(y + 3u, x, row, b, c, transform(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d));
}
