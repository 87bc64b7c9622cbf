// Mean over time: logits per time step to logits of the clip.

struct Params {
    shape: vec4<u32>,  // N, T, channels in fours, first time step that counts
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;         // [N, T, C/4]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;  // [N, C/4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let channels = p.shape.z;
    if id.x >= p.shape.x * channels {
        return;
    }
    let first = id.x / channels * p.shape.y * channels + id.x % channels;
    var sum = vec4<f32>(0.0);
    for (var t = p.shape.w; t < p.shape.y; t++) {
        sum += input[first + t * channels];
    }
    output[id.x] = sum / f32(p.shape.y - p.shape.w);
}
