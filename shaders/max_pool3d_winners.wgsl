// 3-D max pool that also says which tap of its window every value came from: of equal ones the first. With that the way back
// (max_pool3d_grad.wgsl) needs no atomic additions.

struct Params {
    input: vec4<u32>,   // N, T, H, W
    output: vec4<u32>,  // N, To, Ho, Wo
    window: vec4<u32>,  // T, H, W; channels in fours
    stride: vec4<u32>,  // T, H, W; 1
    pad: vec4<u32>,     // before T, H, W; first workgroup of this dispatch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;          // [N, T, H, W, C/4]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;   // [N, To, Ho, Wo, C/4]
@group(0) @binding(3) var<storage, read_write> winners: array<vec4<f32>>;  // [N, To, Ho, Wo, C/4], numbers of taps

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let channels = p.window.w;
    let i = (group.x + p.pad.w) * 64u + lane;
    if i >= p.output.x * p.output.y * p.output.z * p.output.w * channels {
        return;
    }
    let c = i % channels;
    let position = i / channels;
    let x = position % p.output.w;
    let rows = position / p.output.w;
    let y = rows % p.output.z;
    let frames = rows / p.output.z;
    let t = frames % p.output.y;
    let n = frames / p.output.y;

    // The part of the window inside the input: [low, high).
    let start = vec3<i32>(vec3<u32>(t, y, x) * p.stride.xyz) - vec3<i32>(p.pad.xyz);
    let low = max(start, vec3<i32>(0));
    let high = min(start + vec3<i32>(p.window.xyz), vec3<i32>(p.input.yzw));
    var best = vec4<f32>(0.0);
    var winner = vec4<f32>(0.0);
    var first = true;
    for (var it = low.x; it < high.x; it++) {
        for (var iy = low.y; iy < high.y; iy++) {
            let row = ((n * p.input.y + u32(it)) * p.input.z + u32(iy)) * p.input.w;
            let taps = ((it - start.x) * i32(p.window.y) + iy - start.y) * i32(p.window.z) - start.z;
            for (var ix = low.z; ix < high.z; ix++) {
                let value = input[(row + u32(ix)) * channels + c];
                let wins = (value > best) | vec4<bool>(first);
                best = select(best, value, wins);
                winner = select(winner, vec4<f32>(f32(taps + ix)), wins);
                first = false;
            }
        }
    }
    output[i] = best;
    winners[i] = winner;
}
