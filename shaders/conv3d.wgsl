// 3-D convolution as an implicit GEMM: any kernel, stride and padding; bias and ReLU in the epilogue; the output is
// written at a channel offset, so that a concatenation costs nothing.
//
// One invocation computes 4 output positions x 16 output channels in registers. Four input channels of its four
// positions form the columns of a 4x4 matrix, four weight rows of four output channels form another, and one matrix
// product is 64 multiply-accumulates without a loop. There is no workgroup memory and no barrier: every lane of a
// workgroup reads the same weights, so they come from a cache once.

struct Params {
    input: vec4<u32>,     // N, T, H, W
    output: vec4<u32>,    // N, To, Ho, Wo
    kernel: vec4<u32>,    // kT, kH, kW, input channels that have weights
    stride: vec4<u32>,    // T, H, W, 1 for ReLU
    pad: vec4<u32>,       // before T, H, W; first workgroup of this dispatch
    channels: vec4<u32>,  // in fours: input stored, output written, output stored, output offset
    source: vec4<u32>,    // in fours: first input channel read, input channels read, weights per row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<Stored>;         // [N, T, H, W, Ci/4]
@group(0) @binding(2) var<storage, read> weight: array<Stored>;        // [kT, kH, kW, Ci, Co/4]
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;       // [Co/4]
@group(0) @binding(4) var<storage, read_write> output: array<Stored>;  // [N, To, Ho, Wo, stored/4]

const LANES: u32 = 64u;

// Position `i` of the output: clip, and the first tap's coordinates in the input (negative in the padding).
fn origin(i: u32) -> vec4<i32> {
    let x = i % p.output.w;
    let rows = i / p.output.w;
    let y = rows % p.output.z;
    let frames = rows / p.output.z;
    let t = frames % p.output.y;
    let start = vec3<i32>(vec3<u32>(t, y, x) * p.stride.xyz) - vec3<i32>(p.pad.xyz);
    return vec4<i32>(i32(frames / p.output.y), start);
}

// Whether a tap lies inside the input.
fn inside(at: vec3<i32>) -> bool {
    return all(at >= vec3<i32>(0)) && all(at < vec3<i32>(p.input.yzw));
}

// Index of the first channel group read at clip `n`, tap `at`; that of the first position where the tap lies in the padding.
fn address(n: i32, at: vec3<i32>, ok: bool) -> u32 {
    let i = ((u32(n) * p.input.y + u32(at.x)) * p.input.z + u32(at.y)) * p.input.w + u32(at.z);
    return p.source.x + select(0u, i * p.channels.x, ok);
}

// The weights of four input channels, whose rows lie `columns` apart, and four output channels.
fn weights(at: u32, columns: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        vec4<f32>(weight[at]),
        vec4<f32>(weight[at + columns]),
        vec4<f32>(weight[at + 2u * columns]),
        vec4<f32>(weight[at + 3u * columns]),
    );
}

fn store(position: u32, column: u32, sum: vec4<f32>) {
    let count = p.output.x * p.output.y * p.output.z * p.output.w;
    if position < count && column < p.channels.y {
        let at = position * p.channels.z + p.channels.w + column;
        output[at] = stored(select(sum, relu(sum), p.stride.w == 1u));
    }
}

// Columns with constant numbers: a matrix indexed by a variable would live in memory.
fn store_positions(position: u32, column: u32, sums: mat4x4<f32>) {
    store(position, column, sums[0]);
    store(position + LANES, column, sums[1]);
    store(position + 2u * LANES, column, sums[2]);
    store(position + 3u * LANES, column, sums[3]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = p.output.x * p.output.y * p.output.z * p.output.w;
    let first = (group.x + p.pad.w) * 4u * LANES + lane;
    let last = count - 1u;
    let o0 = origin(min(first, last));
    let o1 = origin(min(first + LANES, last));
    let o2 = origin(min(first + 2u * LANES, last));
    let o3 = origin(min(first + 3u * LANES, last));

    // Channel groups of this invocation; those past the end repeat the last one and are not stored.
    let column = group.y * 4u;
    let columns = p.channels.y;
    let c0 = column;
    let c1 = min(column + 1u, columns - 1u);
    let c2 = min(column + 2u, columns - 1u);
    let c3 = min(column + 3u, columns - 1u);

    let b0 = bias[c0];
    let b1 = bias[c1];
    let b2 = bias[c2];
    let b3 = bias[c3];
    var acc0 = mat4x4<f32>(b0, b0, b0, b0);
    var acc1 = mat4x4<f32>(b1, b1, b1, b1);
    var acc2 = mat4x4<f32>(b2, b2, b2, b2);
    var acc3 = mat4x4<f32>(b3, b3, b3, b3);

    let zero = vec4<f32>(0.0);
    var row = 0u;  // first weight of the current row of weights, in groups of four
    for (var kt = 0u; kt < p.kernel.x; kt++) {
        for (var ky = 0u; ky < p.kernel.y; ky++) {
            for (var kx = 0u; kx < p.kernel.z; kx++) {
                let tap = vec3<i32>(vec3<u32>(kt, ky, kx));
                let in0 = inside(o0.yzw + tap);
                let in1 = inside(o1.yzw + tap);
                let in2 = inside(o2.yzw + tap);
                let in3 = inside(o3.yzw + tap);
                var i0 = address(o0.x, o0.yzw + tap, in0);
                var i1 = address(o1.x, o1.yzw + tap, in1);
                var i2 = address(o2.x, o2.yzw + tap, in2);
                var i3 = address(o3.x, o3.yzw + tap, in3);
                for (var ci = 0u; ci < p.source.y; ci++) {
                    // Columns are positions, rows are input channels.
                    let x = mat4x4<f32>(
                        select(zero, vec4<f32>(input[i0]), in0),
                        select(zero, vec4<f32>(input[i1]), in1),
                        select(zero, vec4<f32>(input[i2]), in2),
                        select(zero, vec4<f32>(input[i3]), in3),
                    );
                    // Columns are input channels, rows are output channels.
                    acc0 += weights(row + c0, columns) * x;
                    acc1 += weights(row + c1, columns) * x;
                    acc2 += weights(row + c2, columns) * x;
                    acc3 += weights(row + c3, columns) * x;
                    row += 4u * columns;
                    i0++;
                    i1++;
                    i2++;
                    i3++;
                }
            }
        }
    }

    store_positions(first, column, acc0);
    store_positions(first, column + 1u, acc1);
    store_positions(first, column + 2u, acc2);
    store_positions(first, column + 3u, acc3);
}
