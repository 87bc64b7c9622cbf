// 3-D max pool. Taps in the padding are skipped, never read as zero.
//
// One invocation walks along a row of outputs with four channels: it carries the maxima over the last two columns of the input
// to the next window, so that a window of three columns with stride 1 costs one.

struct Params {
    input: vec4<u32>,   // N, T, H, W
    output: vec4<u32>,  // N, To, Ho, Wo
    window: vec4<u32>,  // T, H, W; channels in fours
    stride: vec4<u32>,  // T, H, W; outputs of a walk, 1 where windows have more than three columns
    pad: vec4<u32>,     // before T, H, W; first workgroup of this dispatch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<Stored>;         // [N, T, H, W, C/4]
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;  // [N, To, Ho, Wo, C/4]

const NEVER: vec4<f32> = vec4<f32>(-3.4e38);  // wins no maximum

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let channels = p.window.w;
    let i = (group.x + p.pad.w) * 64u + lane;
    let walks = (p.output.w + p.stride.w - 1u) / p.stride.w;
    if i >= p.output.x * p.output.y * p.output.z * walks * channels {
        return;
    }
    let c = i % channels;
    let walk = i / channels;
    let begin = walk % walks * p.stride.w;
    let rows = walk / walks;
    let y = rows % p.output.z;
    let frames = rows / p.output.z;
    let t = frames % p.output.y;
    let n = frames / p.output.y;

    // The part of the windows inside the input, in time and height: [low, high).
    let start = vec2<i32>(vec2<u32>(t, y) * p.stride.xy) - vec2<i32>(p.pad.xy);
    let low = vec2<u32>(max(start, vec2<i32>(0)));
    let high = min(vec2<u32>(start + vec2<i32>(p.window.xy)), p.input.yz);
    // The next column, and the maxima over the two before it.
    var column = 0;
    var last = NEVER;
    var second_last = NEVER;
    for (var x = begin; x < min(begin + p.stride.w, p.output.w); x++) {
        let left = i32(x * p.stride.z) - i32(p.pad.z);
        let right = min(left + i32(p.window.z), i32(p.input.w));
        column = max(column, left);
        var best = select(NEVER, last, column - 1 >= left);
        best = select(best, max(best, second_last), column - 2 >= left);
        for (; column < right; column++) {
            second_last = last;
            last = NEVER;
            for (var it = low.x; it < high.x; it++) {
                var at = (((n * p.input.y + it) * p.input.z + low.y) * p.input.w + u32(column)) * channels + c;
                for (var iy = low.y; iy < high.y; iy++) {
                    last = max(last, vec4<f32>(input[at]));
                    at += p.input.w * channels;
                }
            }
            best = max(best, last);
        }
        output[(rows * p.output.w + x) * channels + c] = Stored(best);
    }
}
