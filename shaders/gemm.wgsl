// Matrix products for graphics cards: rows of an input times the weights of up to three ranges of output channels, for
// siblings among 1x1x1 convolutions, for those behind a max pool, and for the products of Winograd's convolution.
//
// A work group computes a tile of rows and columns. Step by step along the sum it brings the inputs and weights of that
// tile into workgroup memory; an invocation multiplies 4x4 blocks of them in registers, where one matrix product is 64
// multiply-accumulates without a loop.

override ROWS: u32 = 32u;    // rows of a tile
override COLUMNS: u32 = 8u;  // columns of a tile, in fours
override DEPTH: u32 = 2u;    // input channels of a step, in fours
override TALL: u32 = 1u;     // rows of an invocation, in fours: 1 or 2
override WIDE: u32 = 1u;     // columns of an invocation, in fours: 1 or 2
override POOL: u32 = 0u;     // 1: rows are maxima over a window of the input

override ACROSS: u32 = COLUMNS / WIDE;       // invocations along a row of the tile
override DOWN: u32 = ROWS / (4u * TALL);     // and along a column
override THREADS: u32 = ACROSS * DOWN;
override PITCH: u32 = DEPTH + 1u;            // of a row of inputs, odd so that rows begin in different banks
override INPUTS: u32 = ROWS * PITCH;
override WEIGHTS: u32 = 4u * DEPTH * COLUMNS;

struct Params {
    rows: vec4<u32>,    // rows; first workgroup of this dispatch; taps; rows from one tap to the next
    input: vec4<u32>,   // in fours: channels stored, from one point to the next; ranges, points
    output: vec4<u32>,  // in fours: channels stored of the output, of the other; from one point to the next; 1 for ReLU
    channels: array<vec4<u32>, 3>,  // in fours: first input channel, input channels, output channels, first weight
    place: array<vec4<u32>, 3>,     // 1 for the other; in fours: first output channel, first bias, weights per row
    image: vec4<u32>,   // where rows are pooled: T, H, W of the input
    pooled: vec4<u32>,  // and of the rows
    window: vec4<u32>,  // T, H, W
    stride: vec4<u32>,  // T, H, W
    pad: vec4<u32>,     // before T, H, W
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<Stored>;         // [points, rows, C/4]
@group(0) @binding(2) var<storage, read> weight: array<Stored>;        // per range [points, taps, Ci, Co/4]
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;       // per range [Co/4]
@group(0) @binding(4) var<storage, read_write> output: array<Stored>;  // [points, rows, C/4]
@group(0) @binding(5) var<storage, read_write> other: array<Stored>;   // [rows, C/4]

var<workgroup> inputs: array<vec4<f32>, INPUTS>;    // [ROWS, PITCH]
var<workgroup> weights: array<vec4<f32>, WEIGHTS>;  // [4 * DEPTH, COLUMNS]

// Inputs of four rows, which lie DOWN apart: columns are rows of the tile, rows are input channels.
fn inputs_at(at: u32) -> mat4x4<f32> {
    let step = DOWN * PITCH;
    return mat4x4<f32>(inputs[at], inputs[at + step], inputs[at + 2u * step], inputs[at + 3u * step]);
}

// The weights of four input channels and four output channels.
fn weights_at(at: u32) -> mat4x4<f32> {
    return mat4x4<f32>(weights[at], weights[at + COLUMNS], weights[at + 2u * COLUMNS], weights[at + 3u * COLUMNS]);
}

// The maximum over the window of row `row`; taps in the padding are skipped. Clips of a batch follow each other in rows.
fn pooled(row: u32, channel: u32) -> vec4<f32> {
    let x = row % p.pooled.z;
    let rows = row / p.pooled.z;
    let y = rows % p.pooled.y;
    let frames = rows / p.pooled.y;
    let t = frames % p.pooled.x;
    let n = frames / p.pooled.x;
    // The part of the window inside the input, per axis: [low, high).
    let start = vec3<i32>(vec3<u32>(t, y, x) * p.stride.xyz) - vec3<i32>(p.pad.xyz);
    let low = vec3<u32>(max(start, vec3<i32>(0)));
    let high = min(vec3<u32>(start + vec3<i32>(p.window.xyz)), p.image.xyz);
    var best = vec4<f32>(-3.4028235e38);
    for (var it = low.x; it < high.x; it++) {
        for (var iy = low.y; iy < high.y; iy++) {
            let line = ((n * p.image.x + it) * p.image.y + iy) * p.image.z;
            for (var ix = low.z; ix < high.z; ix++) {
                best = max(best, vec4<f32>(input[(line + ix) * p.input.x + channel]));
            }
        }
    }
    return best;
}

// Where a range writes: in which output, and its bias.
struct Place {
    other: bool,
    base: u32,     // first four of this point
    stride: u32,
    columns: u32,
    bias: u32,
}

fn store(to: Place, row: u32, column: u32, sum: vec4<f32>) {
    if row < p.rows.x && column < to.columns {
        let value = sum + bias[to.bias + column];
        let result = stored(select(value, relu(value), p.output.w == 1u));
        let at = to.base + row * to.stride + column;
        if to.other {
            other[at] = result;
        } else {
            output[at] = result;
        }
    }
}

fn store_rows(to: Place, row: u32, column: u32, sums: mat4x4<f32>) {
    store(to, row, column, sums[0]);
    store(to, row + DOWN, column, sums[1]);
    store(to, row + 2u * DOWN, column, sums[2]);
    store(to, row + 3u * DOWN, column, sums[3]);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    // Columns of tiles count through the ranges.
    var range = 0u;
    var block = group.y;
    for (; range + 1u < p.input.z; range++) {
        let blocks = (p.channels[range].z + COLUMNS - 1u) / COLUMNS;
        if block < blocks {
            break;
        }
        block -= blocks;
    }
    let channels = p.channels[range];
    let place = p.place[range];
    let column = block * COLUMNS;
    let row = (group.x + p.rows.y) * ROWS;
    let last_row = p.rows.x - 1u;
    let last_column = channels.z - 1u;
    let depth = channels.y;

    let tn = lane % ACROSS;
    let tm = lane / ACROSS;
    var acc00 = mat4x4<f32>();
    var acc01 = mat4x4<f32>();
    var acc10 = mat4x4<f32>();
    var acc11 = mat4x4<f32>();
    for (var tap = 0u; tap < p.rows.z; tap++) {
        let begin = group.z * p.input.y + tap * p.rows.w * p.input.x + channels.x;
        let first_weight = channels.w + (group.z * p.rows.z + tap) * 4u * depth * place.w + column;
        for (var c = 0u; c < depth; c += DEPTH) {
            for (var e = lane; e < ROWS * DEPTH; e += THREADS) {
                let r = e / DEPTH;
                let k = c + e % DEPTH;
                let at = min(row + r, last_row);
                let channel = min(k, depth - 1u);
                var value: vec4<f32>;
                if POOL == 1u {
                    value = pooled(at, channels.x + channel);
                } else {
                    value = vec4<f32>(input[begin + at * p.input.x + channel]);
                }
                inputs[r * PITCH + e % DEPTH] = select(vec4<f32>(0.0), value, k < depth);
            }
            // Weights behind the last channel meet inputs that are zero.
            for (var e = lane; e < WEIGHTS; e += THREADS) {
                let k = min(4u * c + e / COLUMNS, 4u * depth - 1u);
                let n = min(e % COLUMNS, last_column - column);
                weights[e] = vec4<f32>(weight[first_weight + k * place.w + n]);
            }
            workgroupBarrier();
            for (var k = 0u; k < DEPTH; k++) {
                let x0 = inputs_at(tm * PITCH + k);
                let w0 = weights_at(4u * k * COLUMNS + tn);
                acc00 += w0 * x0;
                if WIDE > 1u {
                    acc01 += weights_at(4u * k * COLUMNS + tn + ACROSS) * x0;
                }
                if TALL > 1u {
                    let x1 = inputs_at((tm + 4u * DOWN) * PITCH + k);
                    acc10 += w0 * x1;
                    if WIDE > 1u {
                        acc11 += weights_at(4u * k * COLUMNS + tn + ACROSS) * x1;
                    }
                }
            }
            workgroupBarrier();
        }
    }

    let base = select(group.z * p.output.z, 0u, place.x == 1u) + place.y;
    let stride = select(p.output.x, p.output.y, place.x == 1u);
    let to = Place(place.x == 1u, base, stride, channels.z, place.z);
    store_rows(to, row + tm, column + tn, acc00);
    if WIDE > 1u {
        store_rows(to, row + tm, column + tn + ACROSS, acc01);
    }
    if TALL > 1u {
        store_rows(to, row + tm + 4u * DOWN, column + tn, acc10);
    }
    if TALL > 1u && WIDE > 1u {
        store_rows(to, row + tm + 4u * DOWN, column + tn + ACROSS, acc11);
    }
}
