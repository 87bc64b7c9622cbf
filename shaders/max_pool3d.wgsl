// 3-D max pool. Taps in the padding are skipped, never read as zero.

struct Params {
    input: vec4<u32>,   // N, T, H, W
    output: vec4<u32>,  // N, To, Ho, Wo
    window: vec4<u32>,  // T, H, W; channels in fours
    stride: vec4<u32>,  // T, H, W
    pad: vec4<u32>,     // before T, H, W; first workgroup of this dispatch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<Stored>;         // [N, T, H, W, C/4]
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;  // [N, To, Ho, Wo, C/4]

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

    // The part of the window inside the input, per axis: [low, high).
    let start = vec3<i32>(vec3<u32>(t, y, x) * p.stride.xyz) - vec3<i32>(p.pad.xyz);
    let low = vec3<u32>(max(start, vec3<i32>(0)));
    let high = min(vec3<u32>(start + vec3<i32>(p.window.xyz)), p.input.yzw);
    var best = input[((((n * p.input.y + low.x) * p.input.z) + low.y) * p.input.w + low.z) * channels + c];
    for (var it = low.x; it < high.x; it++) {
        for (var iy = low.y; iy < high.y; iy++) {
            let row = ((n * p.input.y + it) * p.input.z + iy) * p.input.w;
            for (var ix = low.z; ix < high.z; ix++) {
                best = max(best, input[(row + ix) * channels + c]);
            }
        }
    }
    output[i] = best;
}
