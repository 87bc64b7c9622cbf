// The way back through ReLU and batch norm: from the gradient of a unit's output to that of its convolution's values.

struct Params {
    shape: vec4<u32>,    // rows; in fours: channels, channels of the output as they are stored, first of the unit's
    mode: vec4<u32>,     // 1 for statistics of these rows; first work group of this dispatch
    factors: vec4<f32>,  // batch norm's epsilon
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>;             // [rows, C/4]
@group(0) @binding(2) var<storage, read> moments: array<vec4<f32>>;            // [2, C/4], mean and variance
@group(0) @binding(3) var<storage, read> output: array<vec4<f32>>;             // [rows, stored/4]
@group(0) @binding(4) var<storage, read> output_grad: array<vec4<f32>>;        // [rows, stored/4]
@group(0) @binding(5) var<storage, read> sums: array<vec4<f32>>;               // [2, C/4], see norm_sums.wgsl
@group(0) @binding(6) var<storage, read_write> values_grad: array<vec4<f32>>;  // [rows, C/4]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let channels = p.shape.y;
    let i = (group.x + p.mode.y) * 64u + lane;
    if i >= p.shape.x * channels {
        return;
    }
    let c = i % channels;
    let at = i / channels * p.shape.z + p.shape.w + c;
    let inverse = 1.0 / sqrt(moments[channels + c] + p.factors.x);
    // ReLU passes what it did not clamp.
    var grad = select(vec4<f32>(0.0), output_grad[at], output[at] > vec4<f32>(0.0));
    // The rows' own mean and variance move with the values; fixed ones do not.
    if p.mode.x == 1u {
        let normal = (values[i] - moments[c]) * inverse;
        grad -= (sums[c] + normal * sums[channels + c]) / f32(p.shape.x);
    }
    values_grad[i] = inverse * grad;
}
