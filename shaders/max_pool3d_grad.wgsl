// Gradient of a max pool's input, added to what is there: every input takes the gradients of the windows that it has won.

struct Params {
    input: vec4<u32>,   // N, T, H, W
    output: vec4<u32>,  // N, To, Ho, Wo
    window: vec4<u32>,  // T, H, W; channels in fours
    stride: vec4<u32>,  // T, H, W; 1
    pad: vec4<u32>,     // before T, H, W; first workgroup of this dispatch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> winners: array<vec4<f32>>;           // [N, To, Ho, Wo, C/4], numbers of taps
@group(0) @binding(2) var<storage, read> output_grad: array<vec4<f32>>;       // [N, To, Ho, Wo, C/4]
@group(0) @binding(3) var<storage, read_write> input_grad: array<vec4<f32>>;  // [N, T, H, W, C/4]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let channels = p.window.w;
    let i = (group.x + p.pad.w) * 64u + lane;
    if i >= p.input.x * p.input.y * p.input.z * p.input.w * channels {
        return;
    }
    let c = i % channels;
    let position = i / channels;
    let x = position % p.input.w;
    let rows = position / p.input.w;
    let y = rows % p.input.z;
    let frames = rows / p.input.z;
    let t = frames % p.input.y;
    let n = frames / p.input.y;

    // The windows that hold this input: [begin, end).
    let place = vec3<u32>(t, y, x) + p.pad.xyz;
    let low = max(place + p.stride.xyz, p.window.xyz) - p.window.xyz;
    let begin = low / p.stride.xyz;
    let end = min(place / p.stride.xyz + vec3<u32>(1u), p.output.yzw);
    var sum = vec4<f32>(0.0);
    for (var ot = begin.x; ot < end.x; ot++) {
        for (var oy = begin.y; oy < end.y; oy++) {
            let row = ((n * p.output.y + ot) * p.output.z + oy) * p.output.w;
            let line = (place.x - ot * p.stride.x) * p.window.y + place.y - oy * p.stride.y;
            for (var ox = begin.z; ox < end.z; ox++) {
                let tap = line * p.window.z + place.z - ox * p.stride.z;
                let at = (row + ox) * channels + c;
                sum += select(vec4<f32>(0.0), output_grad[at], winners[at] == vec4<f32>(f32(tap)));
            }
        }
    }
    input_grad[i] += sum;
}
