// The head of the network: average pool over whole frames, classifier, and mean over time, in one launch.
//
// A work group computes some classes of one clip for all its time steps, four at a time. It brings features into workgroup
// memory, where every invocation multiplies a part of the channels, and adds these up. So each work group pools for itself;
// the first of a clip stores the features.

override CLASSES: u32 = 8u;  // classes of a work group, in fours: a divisor of LANES

const LANES: u32 = 256u;
const CHANNELS: u32 = 128u;  // channels at a time, in fours
const STEPS: u32 = 4u;       // time steps at a time: the columns of a matrix

struct Params {
    input: vec4<u32>,  // N, T, H, W
    head: vec4<u32>,   // frames of a window; in fours: channels, classes; 1 for the mean over time
    first: vec4<u32>,  // first workgroup of this dispatch
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<Stored>;              // [N, T, H, W, C/4]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;          // [C, classes/4]
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;            // [classes/4]
@group(0) @binding(4) var<storage, read_write> features: array<vec4<f32>>;  // [N, T', C/4]
@group(0) @binding(5) var<storage, read_write> per_step: array<vec4<f32>>;  // [N, T', classes/4]
@group(0) @binding(6) var<storage, read_write> logits: array<vec4<f32>>;    // [N, classes/4]

var<workgroup> pooled: array<vec4<f32>, 512>;  // [STEPS, CHANNELS]
var<workgroup> sums: array<vec4<f32>, LANES>;

// The mean over the window of time step `t`, channels `c`.
fn average(n: u32, t: u32, c: u32) -> vec4<f32> {
    let frame = p.input.z * p.input.w;
    let window = p.head.x * frame;
    var total = vec4<f32>(0.0);
    var at = (n * p.input.y + t) * frame * p.head.y + c;
    for (var i = 0u; i < window; i++) {
        total += vec4<f32>(input[at]);
        at += p.head.y;
    }
    return total / f32(window);
}

// Adds up the sums of all parts of the channels and stores the logits of time step `t`; zero where there are none.
fn finish(n: u32, t: u32, column: u32, lane: u32, sum: vec4<f32>) -> vec4<f32> {
    let steps = p.input.y - p.head.x + 1u;
    sums[lane] = sum;
    workgroupBarrier();
    var total = vec4<f32>(0.0);
    if lane < CLASSES && column < p.head.z && t < steps {
        total = bias[column];
        for (var i = lane; i < LANES; i += CLASSES) {
            total += sums[i];
        }
        per_step[(n * steps + t) * p.head.z + column] = total;
    }
    workgroupBarrier();
    return total;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = group.y;
    let block = group.x + p.first.x;
    let column = block * CLASSES + lane % CLASSES;
    let channels = p.head.y;
    let classes = p.head.z;
    let steps = p.input.y - p.head.x + 1u;
    var total = vec4<f32>(0.0);
    for (var t = 0u; t < steps; t += STEPS) {
        var acc = mat4x4<f32>();
        for (var c = 0u; c < channels; c += CHANNELS) {
            for (var e = lane; e < STEPS * CHANNELS; e += LANES) {
                let s = t + e / CHANNELS;
                let k = c + e % CHANNELS;
                pooled[e] = vec4<f32>(0.0);
                if s < steps && k < channels {
                    pooled[e] = average(n, s, k);
                    if block == 0u {
                        features[(n * steps + s) * channels + k] = pooled[e];
                    }
                }
            }
            workgroupBarrier();
            if column < classes {
                for (var k = lane / CLASSES; k < min(CHANNELS, channels - c); k += LANES / CLASSES) {
                    let at = 4u * (c + k) * classes + column;
                    let w = mat4x4<f32>(
                        weight[at], weight[at + classes], weight[at + 2u * classes], weight[at + 3u * classes],
                    );
                    // Columns are time steps, rows are channels.
                    let x = mat4x4<f32>(
                        pooled[k], pooled[k + CHANNELS], pooled[k + 2u * CHANNELS], pooled[k + 3u * CHANNELS],
                    );
                    acc += w * x;
                }
            }
            workgroupBarrier();
        }
        total += finish(n, t, column, lane, acc[0]);
        total += finish(n, t + 1u, column, lane, acc[1]);
        total += finish(n, t + 2u, column, lane, acc[2]);
        total += finish(n, t + 3u, column, lane, acc[3]);
    }
    if p.head.w == 1u && lane < CLASSES && column < classes {
        logits[n * classes + column] = total / f32(steps);
    }
}
