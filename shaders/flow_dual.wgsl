// The dual field's half of an iteration, for pairs that have not stopped: it follows the flow's forward differences and
// is kept within the unit circle.

struct Params {
    size: vec4<u32>,     // W, H, pairs N; unused
    source: vec4<u32>,   // unused
    factors: vec4<f32>,  // lambda * theta, theta, tau / theta, error at which a pair stops
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> stopped: array<f32>;      // [N], 0 or 1
@group(0) @binding(2) var<storage, read_write> state: array<f32>;  // [6, N, H, W]: u1, u2, p11, p12, p21, p22

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let x = group.x * 64u + lane;
    let width = p.size.x;
    let n = group.y / p.size.y;
    if x >= width || stopped[n] != 0.0 {
        return;
    }
    let y = group.y - n * p.size.y;
    let plane = width * p.size.y * p.size.z;
    let i1 = group.y * width + x;
    let i2 = i1 + plane;
    let i3 = i2 + plane;
    let i4 = i3 + plane;
    let i5 = i4 + plane;
    let i6 = i5 + plane;
    // At the last column and row there is no difference.
    let right = select(0u, 1u, x + 1u < width);
    let below = select(0u, width, y + 1u < p.size.y);
    let u = vec2<f32>(state[i1], state[i2]);
    let dx = vec2<f32>(state[i1 + right], state[i2 + right]) - u;
    let dy = vec2<f32>(state[i1 + below], state[i2 + below]) - u;
    let t = p.factors.z;
    let norm = 1.0 / (1.0 + t * sqrt(dx * dx + dy * dy));
    state[i3] = (state[i3] + t * dx.x) * norm.x;
    state[i4] = (state[i4] + t * dy.x) * norm.x;
    state[i5] = (state[i5] + t * dx.y) * norm.y;
    state[i6] = (state[i6] + t * dy.y) * norm.y;
}
