// The opening 7x7x7 convolution for adapters that are programs: as `stem.wgsl`, but the weights come through a window of
// uniform memory, which these adapters read fast. The window holds some of the taps in time; a launch adds what they give
// to what the output holds.

override CHANNELS: u32 = 3u;  // 3: RGB, 2: flow

struct Params {
    input: vec4<u32>,     // N, T, H, W
    output: vec4<u32>,    // N, To, Ho, Wo
    kernel: vec4<u32>,    // taps in time of this launch, 7, 7, input channels that have weights
    stride: vec4<u32>,    // 2, 2, 2, 1 for ReLU
    pad: vec4<u32>,       // before T (less the taps of launches before), H, W; first workgroup of this dispatch
    channels: vec4<u32>,  // in fours: input stored (1), output written, output stored, output offset
    source: vec4<u32>,    // in fours: first input channel, input channels, weights per row (8); 1: add to the output
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;         // [N, T, H, W]
@group(0) @binding(2) var<uniform> weight: array<vec4<f32>, 4096>;        // [taps, 7, 7, CHANNELS, 8]
@group(0) @binding(3) var<uniform> bias: array<vec4<f32>, 16>;            // [8]
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;  // [N, To, Ho, Wo, stored/4]

// The pixel in column `x` of the row that starts at `row`; zero outside the row.
fn pixel(row: u32, x: i32, ok: bool) -> vec4<f32> {
    let inside = ok && x >= 0 && x < i32(p.input.w);
    return select(vec4<f32>(0.0), input[select(0u, row + u32(x), inside)], inside);
}

// What one kernel column adds for one group of four output channels: weights [CHANNELS, 4] times pixels
// [CHANNELS, 4 columns]; `at` is the first of its weights.
fn taps(at: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> mat4x4<f32> {
    if CHANNELS == 2u {
        return mat2x4<f32>(weight[at], weight[at + 8u]) * mat4x2<f32>(a.xy, b.xy, c.xy, d.xy);
    }
    return mat3x4<f32>(weight[at], weight[at + 8u], weight[at + 16u]) * mat4x3<f32>(a.xyz, b.xyz, c.xyz, d.xyz);
}

fn start(column: u32) -> mat4x4<f32> {
    let b = bias[column];
    return mat4x4<f32>(b, b, b, b);
}

fn store(position: u32, ok: bool, column: u32, sum: vec4<f32>) {
    if ok && column < p.channels.y {
        let at = position * p.channels.z + p.channels.w + column;
        var value = sum;
        if p.source.w == 1u {
            value += output[at];
        }
        output[at] = select(value, max(value, vec4<f32>(0.0)), p.stride.w == 1u);
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
    let begin = vec3<i32>(vec3<u32>(t, y, x) * 2u) - vec3<i32>(p.pad.xyz);

    var acc0 = start(0u);
    var acc1 = start(1u);
    var acc2 = start(2u);
    var acc3 = start(3u);
    var acc4 = start(4u);
    var acc5 = start(5u);
    var acc6 = start(6u);
    var acc7 = start(7u);
    var w = 0u;
    for (var kt = 0; kt < i32(p.kernel.x); kt++) {
        let it = begin.x + kt;
        for (var ky = 0; ky < 7; ky++) {
            let iy = begin.y + ky;
            let ok = it >= 0 && it < i32(p.input.y) && iy >= 0 && iy < i32(p.input.z);
            let row = select(0u, ((n * p.input.y + u32(it)) * p.input.z + u32(iy)) * p.input.w, ok);
            var x0 = pixel(row, begin.z, ok);
            var x1 = pixel(row, begin.z + 1, ok);
            var x2 = pixel(row, begin.z + 2, ok);
            var x3 = pixel(row, begin.z + 3, ok);
            var x4 = pixel(row, begin.z + 4, ok);
            var x5 = pixel(row, begin.z + 5, ok);
            var x6 = pixel(row, begin.z + 6, ok);
            for (var kx = 0; kx < 7; kx++) {
                acc0 += taps(w, x0, x2, x4, x6);
                acc1 += taps(w + 1u, x0, x2, x4, x6);
                acc2 += taps(w + 2u, x0, x2, x4, x6);
                acc3 += taps(w + 3u, x0, x2, x4, x6);
                acc4 += taps(w + 4u, x0, x2, x4, x6);
                acc5 += taps(w + 5u, x0, x2, x4, x6);
                acc6 += taps(w + 6u, x0, x2, x4, x6);
                acc7 += taps(w + 7u, x0, x2, x4, x6);
                w += 8u * CHANNELS;
                // Slide the window of pixels by one column.
                x0 = x1;
                x1 = x2;
                x2 = x3;
                x3 = x4;
                x4 = x5;
                x5 = x6;
                x6 = pixel(row, begin.z + 7 + kx, ok);
            }
        }
    }

    let free = select(0u, p.output.w - x, wanted < count);
    let position = rows * p.output.w + x;
    store_columns(position, free, 0u, acc0);
    store_columns(position, free, 1u, acc1);
    store_columns(position, free, 2u, acc2);
    store_columns(position, free, 3u, acc3);
    store_columns(position, free, 4u, acc4);
    store_columns(position, free, 5u, acc5);
    store_columns(position, free, 6u, acc6);
    store_columns(position, free, 7u, acc7);
}
