// Bilinear resizing of planes: half-pixel centres, edges repeated; values times a factor.

struct Params {
    size: vec4<u32>,     // W, H, planes N; unused
    source: vec4<u32>,   // W and H of the source; unused
    factors: vec4<f32>,  // source pixels per pixel along x and y; factor; unused
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;         // [N, Hs, Ws], and possibly more
@group(0) @binding(2) var<storage, read_write> output: array<f32>;  // [N, H, W], and possibly more, which stays

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let x = group.x * 64u + lane;
    if x >= p.size.x {
        return;
    }
    let plane = group.y / p.size.y;
    let y = group.y - plane * p.size.y;
    let last = p.source.xy - vec2<u32>(1u);
    let center = (vec2<f32>(vec2<u32>(x, y)) + 0.5) * p.factors.xy - 0.5;
    let inside = clamp(center, vec2<f32>(0.0), vec2<f32>(last));
    let first = vec2<u32>(inside);
    let second = min(first + vec2<u32>(1u), last);
    let share = inside - vec2<f32>(first);
    let row0 = (plane * p.source.y + first.y) * p.source.x;
    let row1 = (plane * p.source.y + second.y) * p.source.x;
    let above = vec2<f32>(input[row0 + first.x], input[row0 + second.x]);
    let below = vec2<f32>(input[row1 + first.x], input[row1 + second.x]);
    let mixed = above + (below - above) * share.y;
    output[group.y * p.size.x + x] = (mixed.x + (mixed.y - mixed.x) * share.x) * p.factors.z;
}
