// Adds up parts of a sum, in order.

struct Params {
    shape: vec4<u32>,  // parts; values of each in fours; first work group of this dispatch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> parts: array<vec4<f32>>;      // [parts, values/4]
@group(0) @binding(2) var<storage, read_write> sum: array<vec4<f32>>;  // [values/4]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.x + p.shape.z) * 64u + lane;
    if i >= p.shape.y {
        return;
    }
    var all = vec4<f32>(0.0);
    for (var part = 0u; part < p.shape.x; part++) {
        all += parts[part * p.shape.y + i];
    }
    sum[i] = all;
}
