// Gradient of a convolution's weights, in parts: part `n` is the sum over the n-th share of the output's lines, so that there
// are more sums to compute at a time than weights. sum_parts.wgsl adds them up.
//
// One invocation computes 8x8 weights of a tap and a part in registers, as outer products of eight input and eight output
// channels. What of a line reads inside the input is known before the line, so nothing is checked within it.

struct Params {
    input: vec4<u32>,     // N, T, H, W
    output: vec4<u32>,    // N, To, Ho, Wo
    kernel: vec4<u32>,    // kT, kH, kW, input channels that have weights
    stride: vec4<u32>,    // T, H, W, unused
    pad: vec4<u32>,       // before T, H, W; first workgroup of this dispatch
    channels: vec4<u32>,  // in fours: input stored, output written, output stored, output offset
    source: vec4<u32>,    // in fours: first input channel read, input channels read, weights per row; lines of a part
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;        // [N, T, H, W, stored/4]
@group(0) @binding(2) var<storage, read> output_grad: array<vec4<f32>>;  // [N, To, Ho, Wo, stored/4]
@group(0) @binding(3) var<storage, read_write> parts: array<vec4<f32>>;  // [parts, kT, kH, kW, Ci, Co/4]

// Columns are input channels, rows are output channels.
fn outer(grad: vec4<f32>, value: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(grad * value.x, grad * value.y, grad * value.z, grad * value.w);
}

fn store(tap: u32, channel: u32, column: u32, sums: mat4x4<f32>) {
    if channel < p.source.y && column < p.channels.y {
        let at = (tap * p.kernel.w + 4u * channel) * p.source.z + column;
        parts[at] = sums[0];
        parts[at + p.source.z] = sums[1];
        parts[at + 2u * p.source.z] = sums[2];
        parts[at + 3u * p.source.z] = sums[3];
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.x + p.pad.w) * 64u + lane;
    let wide = (p.channels.y + 1u) / 2u;
    let deep = (p.source.y + 1u) / 2u;
    let column = i % wide * 2u;
    let channel = i / wide % deep * 2u;
    // The taps of all parts are numbered through.
    let tap = i / wide / deep;
    let kx = tap % p.kernel.z;
    let ky = tap / p.kernel.z % p.kernel.y;
    let kt = tap / p.kernel.z / p.kernel.y % p.kernel.x;
    let part = tap / p.kernel.z / p.kernel.y / p.kernel.x;
    let lines = p.output.x * p.output.y * p.output.z;
    let begin = part * p.source.w;
    if begin >= lines {
        return;
    }
    let end = min(begin + p.source.w, lines);

    // Channel groups past the end repeat the last one and are not stored.
    let other_channel = min(channel + 1u, p.source.y - 1u) - channel;
    let other_column = min(column + 1u, p.channels.y - 1u) - column;
    // The outputs of a line that read inside the input: [low, high).
    let shift = i32(kx) - i32(p.pad.z);
    let stride = i32(p.stride.z);
    let low = max((stride - 1 - shift) / stride, 0);
    let room = i32(p.input.w) - 1 - shift;
    let high = select(min(room / stride + 1, i32(p.output.w)), 0, room < 0);

    let zero = vec4<f32>(0.0);
    var acc00 = mat4x4<f32>(zero, zero, zero, zero);
    var acc01 = acc00;
    var acc10 = acc00;
    var acc11 = acc00;
    for (var line = begin; line < end; line++) {
        let frame = line / p.output.z;
        let y = i32(line % p.output.z * p.stride.y + ky) - i32(p.pad.y);
        let t = i32(frame % p.output.y * p.stride.x + kt) - i32(p.pad.x);
        if y < 0 || t < 0 || y >= i32(p.input.z) || t >= i32(p.input.y) {
            continue;
        }
        let row = ((frame / p.output.y * p.input.y + u32(t)) * p.input.z + u32(y)) * p.input.w;
        var a = (row + u32(low * stride + shift)) * p.channels.x + p.source.x + channel;
        var b = (line * p.output.w + u32(low)) * p.channels.z + p.channels.w + column;
        for (var x = low; x < high; x++) {
            let a0 = input[a];
            let a1 = input[a + other_channel];
            let b0 = output_grad[b];
            let b1 = output_grad[b + other_column];
            acc00 += outer(b0, a0);
            acc01 += outer(b1, a0);
            acc10 += outer(b0, a1);
            acc11 += outer(b1, a1);
            a += p.stride.z * p.channels.x;
            b += p.channels.z;
        }
    }

    store(tap, channel, column, acc00);
    store(tap, channel, column + 1u, acc01);
    store(tap, channel + 1u, column, acc10);
    store(tap, channel + 1u, column + 1u, acc11);
}
