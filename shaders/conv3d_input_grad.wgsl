// Gradient of a convolution's input, added to what is there, because a tensor that several convolutions read has the sum of
// their gradients.
//
// One invocation computes 4 input positions x 16 input channels in registers, as conv3d.wgsl does for outputs: four output
// channels of four positions form the columns of a 4x4 matrix, the weights of four input and four output channels another.

struct Params {
    input: vec4<u32>,     // N, T, H, W
    output: vec4<u32>,    // N, To, Ho, Wo
    kernel: vec4<u32>,    // kT, kH, kW, input channels that have weights
    stride: vec4<u32>,    // T, H, W, unused
    pad: vec4<u32>,       // before T, H, W; first workgroup of this dispatch
    channels: vec4<u32>,  // in fours: input stored, output written, output stored, output offset
    source: vec4<u32>,    // in fours: first input channel read, input channels read, weights per row; unused
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> output_grad: array<vec4<f32>>;       // [N, To, Ho, Wo, stored/4]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;            // [kT, kH, kW, Ci, Co/4]
@group(0) @binding(3) var<storage, read_write> input_grad: array<vec4<f32>>;  // [N, T, H, W, stored/4]

const LANES: u32 = 64u;

// Position `i` of the input: clip, and its coordinates with the padding before them.
fn place(i: u32) -> vec4<i32> {
    let x = i % p.input.w;
    let rows = i / p.input.w;
    let y = rows % p.input.z;
    let frames = rows / p.input.z;
    let t = frames % p.input.y;
    return vec4<i32>(i32(frames / p.input.y), vec3<i32>(vec3<u32>(t, y, x)) + vec3<i32>(p.pad.xyz));
}

// The output that reads a place through a tap: its coordinates, and whether there is one.
struct Reader {
    at: vec3<u32>,
    exists: bool,
}

fn reader(input: vec3<i32>, tap: vec3<i32>) -> Reader {
    let ahead = input - tap;
    let stride = vec3<i32>(p.stride.xyz);
    let at = ahead / stride;
    let exists = all(ahead >= vec3<i32>(0)) && all(at * stride == ahead) && all(at < vec3<i32>(p.output.yzw));
    return Reader(vec3<u32>(at), exists);
}

// Index of the first channels of an output at clip `n`; that of the first output where there is none.
fn address(n: i32, output: Reader) -> u32 {
    let at = output.at;
    let i = ((u32(n) * p.output.y + at.x) * p.output.z + at.y) * p.output.w + at.z;
    return p.channels.w + select(0u, i * p.channels.z, output.exists);
}

// The weights of four output channels, as rows, and four input channels, whose rows of weights lie `columns` apart.
fn weights(at: u32, columns: u32) -> mat4x4<f32> {
    return transpose(mat4x4<f32>(
        weight[at],
        weight[at + columns],
        weight[at + 2u * columns],
        weight[at + 3u * columns],
    ));
}

fn add(position: u32, channel: u32, sum: vec4<f32>) {
    let count = p.input.x * p.input.y * p.input.z * p.input.w;
    if position < count && channel < p.source.y {
        input_grad[position * p.channels.x + p.source.x + channel] += sum;
    }
}

// Columns with constant numbers: a matrix indexed by a variable would live in memory.
fn add_positions(position: u32, channel: u32, sums: mat4x4<f32>) {
    add(position, channel, sums[0]);
    add(position + LANES, channel, sums[1]);
    add(position + 2u * LANES, channel, sums[2]);
    add(position + 3u * LANES, channel, sums[3]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = p.input.x * p.input.y * p.input.z * p.input.w;
    let first = (group.x + p.pad.w) * 4u * LANES + lane;
    let last = count - 1u;
    let o0 = place(min(first, last));
    let o1 = place(min(first + LANES, last));
    let o2 = place(min(first + 2u * LANES, last));
    let o3 = place(min(first + 3u * LANES, last));

    // Channel groups of this invocation; those past the end repeat the last one and are not stored.
    let channel = group.y * 4u;
    let c0 = channel;
    let c1 = min(channel + 1u, p.source.y - 1u);
    let c2 = min(channel + 2u, p.source.y - 1u);
    let c3 = min(channel + 3u, p.source.y - 1u);
    let columns = p.source.z;
    let step = 4u * columns;

    let zero = vec4<f32>(0.0);
    var acc0 = mat4x4<f32>(zero, zero, zero, zero);
    var acc1 = acc0;
    var acc2 = acc0;
    var acc3 = acc0;
    var row = 0u;  // first weight of the tap, in groups of four
    for (var kt = 0u; kt < p.kernel.x; kt++) {
        for (var ky = 0u; ky < p.kernel.y; ky++) {
            for (var kx = 0u; kx < p.kernel.z; kx++) {
                let tap = vec3<i32>(vec3<u32>(kt, ky, kx));
                let r0 = reader(o0.yzw, tap);
                let r1 = reader(o1.yzw, tap);
                let r2 = reader(o2.yzw, tap);
                let r3 = reader(o3.yzw, tap);
                let i0 = address(o0.x, r0);
                let i1 = address(o1.x, r1);
                let i2 = address(o2.x, r2);
                let i3 = address(o3.x, r3);
                for (var k = 0u; k < p.channels.y; k++) {
                    // Columns are positions, rows are output channels.
                    let g = mat4x4<f32>(
                        select(zero, output_grad[i0 + k], r0.exists),
                        select(zero, output_grad[i1 + k], r1.exists),
                        select(zero, output_grad[i2 + k], r2.exists),
                        select(zero, output_grad[i3 + k], r3.exists),
                    );
                    acc0 += weights(row + c0 * step + k, columns) * g;
                    acc1 += weights(row + c1 * step + k, columns) * g;
                    acc2 += weights(row + c2 * step + k, columns) * g;
                    acc3 += weights(row + c3 * step + k, columns) * g;
                }
                row += p.kernel.w * columns;
            }
        }
    }

    add_positions(first, channel, acc0);
    add_positions(first, channel + 1u, acc1);
    add_positions(first, channel + 2u, acc2);
    add_positions(first, channel + 3u, acc3);
}
