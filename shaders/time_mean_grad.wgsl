// Gradient of the input of a mean over time, added to what is there: every time step that counts takes its share.

struct Params {
    shape: vec4<u32>,  // N, T, channels in fours, first time step that counts
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> output_grad: array<vec4<f32>>;       // [N, C/4]
@group(0) @binding(2) var<storage, read_write> input_grad: array<vec4<f32>>;  // [N, T, C/4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let channels = p.shape.z;
    if id.x >= p.shape.x * p.shape.y * channels {
        return;
    }
    let step = id.x / channels;
    if step % p.shape.y < p.shape.w {
        return;
    }
    let share = output_grad[step / p.shape.y * channels + id.x % channels];
    input_grad[id.x] += share / f32(p.shape.y - p.shape.w);
}
