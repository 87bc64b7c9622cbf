// Multiplies values by the factors that dropout drew for them, there and, with their gradient, on the way back.

struct Params {
    shape: vec4<u32>,  // 1; values in fours; first work group of this dispatch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> factors: array<vec4<f32>>;       // [values/4]
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;  // [values/4]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.x + p.shape.z) * 64u + lane;
    if i >= p.shape.y {
        return;
    }
    values[i] *= factors[i];
}
