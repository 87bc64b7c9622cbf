// Gradient of a convolution's bias: the sum of its output's gradient over all positions.
//
// A work group computes four channels: every lane adds up some positions, then halves of the lanes are added pairwise.

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
@group(0) @binding(1) var<storage, read> output_grad: array<vec4<f32>>;      // [N, To, Ho, Wo, stored/4]
@group(0) @binding(2) var<storage, read_write> bias_grad: array<vec4<f32>>;  // [Co/4]

const LANES: u32 = 256u;

var<workgroup> sums: array<vec4<f32>, LANES>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.x + p.pad.w;
    let positions = p.output.x * p.output.y * p.output.z * p.output.w;
    var sum = vec4<f32>(0.0);
    for (var position = lane; position < positions; position += LANES) {
        sum += output_grad[position * p.channels.z + p.channels.w + c];
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var others = LANES / 2u; others > 0u; others /= 2u) {
        if lane < others {
            sums[lane] += sums[lane + others];
        }
        workgroupBarrier();
    }
    if lane == 0u {
        bias_grad[c] = sums[0];
    }
}
