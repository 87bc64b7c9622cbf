// The 7x7x7 convolution with stride 2 that opens the network, for clips of 2 or 3 channels.
//
// One invocation computes 4 neighbouring output columns x 16 output channels. The 13 input pixels that these columns
// share are read once per kernel row; only the channels that exist are multiplied, so the fourth (stored) channel
// costs no arithmetic.

override CHANNELS: u32 = 3u;  // 3: RGB, 2: flow

struct Params {
    input: vec4<u32>,     // N, T, H, W
    output: vec4<u32>,    // N, To, Ho, Wo
    kernel: vec4<u32>,    // 7, 7, 7, input channels that have weights
    stride: vec4<u32>,    // 2, 2, 2, 1 for ReLU
    pad: vec4<u32>,       // before T, H, W; first workgroup of this dispatch
    channels: vec4<u32>,  // in fours: input stored (1), output written, output stored, output offset
    source: vec4<u32>,    // in fours: first input channel read, input channels read, weights per row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<Stored>;         // [N, T, H, W]
@group(0) @binding(2) var<storage, read> weight: array<Stored>;        // [7, 7, 7, CHANNELS, Co/4]
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;       // [Co/4]
@group(0) @binding(4) var<storage, read_write> output: array<Stored>;  // [N, To, Ho, Wo, stored/4]

// The pixel in column `x` of the row that starts at `row`; zero outside the row.
fn pixel(row: u32, x: i32, ok: bool) -> vec4<f32> {
    let inside = ok && x >= 0 && x < i32(p.input.w);
    return select(vec4<f32>(0.0), vec4<f32>(input[select(0u, row + u32(x), inside)]), inside);
}

fn weight_at(at: u32) -> vec4<f32> {
    return vec4<f32>(weight[at]);
}

// What one kernel column adds for one group of four output channels: weights [CHANNELS, 4] times pixels
// [CHANNELS, 4 columns]; `at` is the first of its weights, rows lie `columns` apart.
fn taps(at: u32, columns: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> mat4x4<f32> {
    if CHANNELS == 2u {
        let w = mat2x4<f32>(weight_at(at), weight_at(at + columns));
        return w * mat4x2<f32>(a.xy, b.xy, c.xy, d.xy);
    }
    let w = mat3x4<f32>(weight_at(at), weight_at(at + columns), weight_at(at + 2u * columns));
    return w * mat4x3<f32>(a.xyz, b.xyz, c.xyz, d.xyz);
}

fn store(position: u32, ok: bool, column: u32, sum: vec4<f32>) {
    if ok && column < p.channels.y {
        let at = position * p.channels.z + p.channels.w + column;
        output[at] = stored(select(sum, relu(sum), p.stride.w == 1u));
    }
}

// Columns with constant numbers: a matrix indexed by a variable would live in memory. `free` output columns are left in
// the row.
fn store_columns(position: u32, free: u32, column: u32, sums: mat4x4<f32>) {
    store(position, free > 0u, column, sums[0]);
    store(position + 1u, free > 1u, column, sums[1]);
    store(position + 2u, free > 2u, column, sums[2]);
    store(position + 3u, free > 3u, column, sums[3]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    // Invocations count groups of four columns; the last group of a row may be partly outside.
    let groups = (p.output.w + 3u) / 4u;
    let count = p.output.x * p.output.y * p.output.z * groups;
    let wanted = (group.x + p.pad.w) * 64u + lane;
    let i = min(wanted, count - 1u);
    let x = i % groups * 4u;
    let rows = i / groups;
    let y = rows % p.output.z;
    let frames = rows / p.output.z;
    let t = frames % p.output.y;
    let n = frames / p.output.y;
    let start = vec3<i32>(vec3<u32>(t, y, x) * 2u) - vec3<i32>(p.pad.xyz);

    let column = group.y * 4u;
    let columns = p.channels.y;
    let c1 = min(column + 1u, columns - 1u);
    let c2 = min(column + 2u, columns - 1u);
    let c3 = min(column + 3u, columns - 1u);
    let b0 = bias[column];
    let b1 = bias[c1];
    let b2 = bias[c2];
    let b3 = bias[c3];
    var acc0 = mat4x4<f32>(b0, b0, b0, b0);
    var acc1 = mat4x4<f32>(b1, b1, b1, b1);
    var acc2 = mat4x4<f32>(b2, b2, b2, b2);
    var acc3 = mat4x4<f32>(b3, b3, b3, b3);

    let step = CHANNELS * columns;  // weights of one kernel column
    var w = 0u;
    for (var kt = 0; kt < 7; kt++) {
        let it = start.x + kt;
        for (var ky = 0; ky < 7; ky++) {
            let iy = start.y + ky;
            let ok = it >= 0 && it < i32(p.input.y) && iy >= 0 && iy < i32(p.input.z);
            let row = select(0u, ((n * p.input.y + u32(it)) * p.input.z + u32(iy)) * p.input.w, ok);
            var x0 = pixel(row, start.z, ok);
            var x1 = pixel(row, start.z + 1, ok);
            var x2 = pixel(row, start.z + 2, ok);
            var x3 = pixel(row, start.z + 3, ok);
            var x4 = pixel(row, start.z + 4, ok);
            var x5 = pixel(row, start.z + 5, ok);
            var x6 = pixel(row, start.z + 6, ok);
            for (var kx = 0; kx < 7; kx++) {
                acc0 += taps(w + column, columns, x0, x2, x4, x6);
                acc1 += taps(w + c1, columns, x0, x2, x4, x6);
                acc2 += taps(w + c2, columns, x0, x2, x4, x6);
                acc3 += taps(w + c3, columns, x0, x2, x4, x6);
                w += step;
                // Slide the window of pixels by one column.
                x0 = x1;
                x1 = x2;
                x2 = x3;
                x3 = x4;
                x4 = x5;
                x5 = x6;
                x6 = pixel(row, start.z + 7 + kx, ok);
            }
        }
    }

    let free = select(0u, p.output.w - x, wanted < count);
    let position = rows * p.output.w + x;
    store_columns(position, free, column, acc0);
    store_columns(position, free, column + 1u, acc1);
    store_columns(position, free, column + 2u, acc2);
    store_columns(position, free, column + 3u, acc3);
}
