// 3-D average pool over full windows: no padding, so every output divides by the whole window.

struct Params {
    input: vec4<u32>,   // N, T, H, W
    output: vec4<u32>,  // N, To, Ho, Wo
    window: vec4<u32>,  // T, H, W; channels in fours
    stride: vec4<u32>,  // T, H, W; 1
    pad: vec4<u32>,     // zero; first workgroup of this dispatch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<Stored>;             // [N, T, H, W, C/4]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;  // [N, To, Ho, Wo, C/4]

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

    let low = vec3<u32>(t, y, x) * p.stride.xyz;
    var sum = vec4<f32>(0.0);
    for (var it = low.x; it < low.x + p.window.x; it++) {
        for (var iy = low.y; iy < low.y + p.window.y; iy++) {
            let row = ((n * p.input.y + it) * p.input.z + iy) * p.input.w;
            for (var ix = low.z; ix < low.z + p.window.z; ix++) {
                sum += vec4<f32>(input[(row + ix) * channels + c]);
            }
        }
    }
    output[i] = sum / f32(p.window.x * p.window.y * p.window.z);
}
