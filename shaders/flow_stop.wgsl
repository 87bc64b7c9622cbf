// Marks the pairs whose flow has hardly changed in the last iteration; those already marked stay so. One work group
// adds up one pair.

struct Params {
    size: vec4<u32>,     // W, H, pairs N; unused
    source: vec4<u32>,   // unused
    factors: vec4<f32>,  // lambda * theta, theta, tau / theta, error at which a pair stops
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> state: array<f32>;          // [6, N, H, W]; [N, H, ceil(W / 64)]: sums
@group(0) @binding(2) var<storage, read_write> stopped: array<f32>;  // [N], 0 or 1

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let length = p.size.y * ((p.size.x + 63u) / 64u);
    let start = 6u * p.size.x * p.size.y * p.size.z + group.x * length;
    var sum = 0.0;
    for (var i = lane; i < length; i += 64u) {
        sum += state[start + i];
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var reach = 32u; reach > 0u; reach >>= 1u) {
        if lane < reach {
            sums[lane] += sums[lane + reach];
        }
        workgroupBarrier();
    }
    if lane == 0u && sums[0] <= p.factors.w {
        stopped[group.x] = 1.0;
    }
}
