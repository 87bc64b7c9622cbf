// Batch norm with given statistics, offset and ReLU; the output is written at a channel offset.

struct Params {
    shape: vec4<u32>,    // rows; in fours: channels, channels of the output as they are stored, first of the unit's
    mode: vec4<u32>,     // 1 for statistics of these rows; first work group of this dispatch
    factors: vec4<f32>,  // batch norm's epsilon
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>;        // [rows, C/4]
@group(0) @binding(2) var<storage, read> moments: array<vec4<f32>>;       // [2, C/4], mean and variance
@group(0) @binding(3) var<storage, read> offset: array<vec4<f32>>;        // [C/4]
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;  // [rows, stored/4]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let channels = p.shape.y;
    let i = (group.x + p.mode.y) * 64u + lane;
    if i >= p.shape.x * channels {
        return;
    }
    let c = i % channels;
    let inverse = 1.0 / sqrt(moments[channels + c] + p.factors.x);
    let value = (values[i] - moments[c]) * inverse + offset[c];
    output[i / channels * p.shape.z + p.shape.w + c] = relu(value);
}
