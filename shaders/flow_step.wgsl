// The flow's half of an iteration, for pairs that have not stopped: a step of the data term, then of smoothness.

struct Params {
    size: vec4<u32>,     // W, H, pairs N; unused
    source: vec4<u32>,   // unused; unused; unused; 1 to add up squared changes
    factors: vec4<f32>,  // lambda * theta, theta, tau / theta, error at which a pair stops
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> data: array<f32>;         // [4, N, H, W]
@group(0) @binding(2) var<storage, read> stopped: array<f32>;      // [N], 0 or 1
@group(0) @binding(3) var<storage, read_write> state: array<f32>;  // [6, N, H, W]: u, p; [N, H, ceil(W / 64)]: sums

var<workgroup> changes: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let x = group.x * 64u + lane;
    let width = p.size.x;
    let n = group.y / p.size.y;
    let y = group.y - n * p.size.y;
    let plane = width * p.size.y * p.size.z;
    let running = stopped[n] == 0.0;
    var change = 0.0;
    if running && x < width {
        let i1 = group.y * width + x;
        let i2 = i1 + plane;
        let i3 = i2 + plane;
        let i4 = i3 + plane;
        let i5 = i4 + plane;
        let i6 = i5 + plane;
        let gradient = vec2<f32>(data[i1], data[i2]);
        let old = vec2<f32>(state[i1], state[i2]);
        let rho = data[i4] + gradient.x * old.x + gradient.y * old.y;
        // The three cases of the threshold are one clamp.
        let step = clamp(-rho * data[i3], -p.factors.x, p.factors.x);
        // Before the first column and row the dual field is zero.
        let left = select(vec2<f32>(0.0), vec2<f32>(state[i3 - 1u], state[i5 - 1u]), x > 0u);
        let above = select(vec2<f32>(0.0), vec2<f32>(state[i4 - width], state[i6 - width]), y > 0u);
        let divergence = vec2<f32>(state[i3], state[i5]) - left + (vec2<f32>(state[i4], state[i6]) - above);
        let new_u = old + step * gradient + p.factors.y * divergence;
        state[i1] = new_u.x;
        state[i2] = new_u.y;
        change = dot(new_u - old, new_u - old);
    }
    if p.source.w == 1u {
        changes[lane] = change;
        workgroupBarrier();
        for (var reach = 32u; reach > 0u; reach >>= 1u) {
            if lane < reach {
                changes[lane] += changes[lane + reach];
            }
            workgroupBarrier();
        }
        if lane == 0u && running {
            state[6u * plane + group.y * ((width + 63u) / 64u) + group.x] = changes[0];
        }
    }
}
