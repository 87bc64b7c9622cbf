// Winograd's output transform and the max pool behind it: 36 products to tiles of 4x4 outputs, with bias and ReLU, of which
// only the maxima over windows of 1x3x3 with stride 1x2x2 are written, two by two per tile, at a channel offset.
//
// Windows begin where tiles do, so they reach one row and one column into the next tiles. One invocation walks along a row of
// tiles with four channels: it carries the last columns to the next tile, and computes one row of the tile below. Products
// between two clips are skipped.

struct Params {
    image: vec4<u32>,     // N, T, H, W of what is pooled
    tiles: vec4<u32>,     // rows of tiles, tiles per row; first frame of this chunk, frames of it
    frames: vec4<u32>,    // frames of a clip with its zeros; first workgroup of this dispatch; 1 for ReLU; first bias
    pad: vec4<u32>,       // unused
    channels: vec4<u32>,  // in fours: stored, first, transformed
    pool: vec4<u32>,      // height and width of the output; tiles of a walk
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;         // [36, frames, tiles, C/4]
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;          // [C/4] from the first bias on
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;  // [N, T, Ho, Wo, stored/4]

const SQRT2: f32 = 1.41421356;
const HALF: f32 = 0.70710678;  // square root of a half
const NEVER: vec4<f32> = vec4<f32>(-3.4e38);  // wins no maximum

// The four columns of outputs from one row of points, which lie `step` apart.
fn row(at: u32, step: u32) -> mat4x4<f32> {
    let m1 = input[at + step];
    let m2 = input[at + 2u * step];
    let m3 = input[at + 3u * step];
    let m4 = input[at + 4u * step];
    let sum = m1 + m2;
    let difference = m1 - m2;
    let sum2 = m3 + m4;
    let difference2 = m3 - m4;
    return mat4x4<f32>(
        input[at] + sum + sum2,
        HALF * difference + SQRT2 * difference2,
        0.5 * sum + 2.0 * sum2,
        0.5 * HALF * difference + 2.0 * SQRT2 * difference2 + input[at + 5u * step],
    );
}

fn larger(a: mat4x4<f32>, b: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]));
}

// Column by column, the maxima over the rows of the tile's upper windows and of its lower ones.
struct Maxima {
    upper: mat4x4<f32>,
    lower: mat4x4<f32>,
}

// `below` is where the tile below is, `height` how many rows of the image are left from the tile's first on.
fn maxima(at: u32, below: u32, step: u32, height: u32) -> Maxima {
    let m1 = row(at + 6u * step, step);
    let m2 = row(at + 12u * step, step);
    let sum = m1 + m2;
    let difference = m1 - m2;
    let m3 = row(at + 18u * step, step);
    let m4 = row(at + 24u * step, step);
    let sum2 = m3 + m4;
    let difference2 = m3 - m4;
    var upper = row(at, step) + sum + sum2;
    var lower = mat4x4<f32>(NEVER, NEVER, NEVER, NEVER);
    if height > 1u {
        upper = larger(upper, HALF * difference + SQRT2 * difference2);
    }
    if height > 2u {
        lower = 0.5 * sum + 2.0 * sum2;
        upper = larger(upper, lower);
    }
    if height > 3u {
        let last = row(at + 30u * step, step);
        lower = larger(lower, 0.5 * HALF * difference + 2.0 * SQRT2 * difference2 + last);
    }
    if height > 4u {
        var first = row(below, step) + row(below + 6u * step, step) + row(below + 12u * step, step);
        first += row(below + 18u * step, step) + row(below + 24u * step, step);
        lower = larger(lower, first);
    }
    return Maxima(upper, lower);
}

// One column of outputs, `at` the upper of them; bias and ReLU change no order, so they come last.
fn store(at: u32, y: u32, x: u32, b: vec4<f32>, upper: vec4<f32>, lower: vec4<f32>) {
    if x < p.pool.y {
        let floor = select(NEVER, vec4<f32>(0.0), p.frames.z == 1u);
        output[at + x * p.channels.x] = max(upper + b, floor);
        if y + 1u < p.pool.x {
            output[at + (p.pool.y + x) * p.channels.x] = max(lower + b, floor);
        }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let channels = p.channels.z;
    let i = (group.x + p.frames.y) * 64u + lane;
    let walks = (p.tiles.y + p.pool.z - 1u) / p.pool.z;
    if i >= p.tiles.w * p.tiles.x * walks * channels {
        return;
    }
    let c = i % channels;
    let walk = i / channels;
    let begin = walk % walks * p.pool.z;
    let rows = walk / walks;
    let tile_row = rows % p.tiles.x;
    let line = p.tiles.z + rows / p.tiles.x;
    let t = line % p.frames.x;
    let n = line / p.frames.x;
    if t >= p.image.y || n >= p.image.x {
        return;
    }
    let b = bias[p.frames.w + c];
    let step = p.tiles.w * p.tiles.x * p.tiles.y * channels;  // values of a point, in fours
    let first = rows * p.tiles.y * channels + c;              // of them the first of this row of tiles
    let y = 2u * tile_row;
    let at = ((n * p.image.y + t) * p.pool.x + y) * p.pool.y * p.channels.x + p.channels.y + c;
    // Of the tile before, the maxima over the columns that it shares with this one.
    var upper = NEVER;
    var lower = NEVER;
    for (var tile = begin; tile <= begin + p.pool.z; tile++) {
        let width = max(p.image.w, 4u * tile) - 4u * tile;
        var m = Maxima(mat4x4<f32>(NEVER, NEVER, NEVER, NEVER), mat4x4<f32>(NEVER, NEVER, NEVER, NEVER));
        if width > 0u {
            let here = first + tile * channels;
            m = maxima(here, here + p.tiles.y * channels, step, p.image.z - 4u * tile_row);
        }
        if tile > begin {
            store(at, y, 2u * tile - 1u, b, max(upper, m.upper[0]), max(lower, m.lower[0]));
        }
        upper = select(NEVER, m.upper[2], width > 2u);
        lower = select(NEVER, m.lower[2], width > 2u);
        if tile < begin + p.pool.z {
            let second_upper = select(NEVER, m.upper[1], width > 1u);
            let second_lower = select(NEVER, m.lower[1], width > 1u);
            let first_upper = max(max(m.upper[0], second_upper), upper);
            store(at, y, 2u * tile, b, first_upper, max(max(m.lower[0], second_lower), lower));
        }
        upper = select(upper, max(upper, m.upper[3]), width > 3u);
        lower = select(lower, max(lower, m.lower[3]), width > 3u);
    }
}
