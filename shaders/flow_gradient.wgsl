// Half the difference of the two neighbours; at the edges the missing neighbour is the pixel itself.

struct Params {
    size: vec4<u32>,     // W, H, frames N; unused
    source: vec4<u32>,   // unused
    factors: vec4<f32>,  // unused
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;         // [N, H, W]
@group(0) @binding(2) var<storage, read_write> output: array<f32>;  // [2, N, H, W]: along x, then y

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let x = group.x * 64u + lane;
    if x >= p.size.x {
        return;
    }
    let width = p.size.x;
    let y = group.y % p.size.y;
    let at = group.y * width + x;
    let left = select(at, at - 1u, x > 0u);
    let right = select(at, at + 1u, x + 1u < width);
    let above = select(at, at - width, y > 0u);
    let below = select(at, at + width, y + 1u < p.size.y);
    output[at] = 0.5 * (input[right] - input[left]);
    output[p.size.z * p.size.y * width + at] = 0.5 * (input[below] - input[above]);
}
