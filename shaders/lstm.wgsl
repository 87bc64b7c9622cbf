// One time step of long short-term memory with recurrent batch norm. The gates of a hidden unit are the four components of a
// vector: input, forget, candidate, output.
//
// An invocation computes a hidden unit for all clips, so that the statistics of the batch are its own affair.

struct Params {
    shape: vec4<u32>,    // N, T, input channels in fours, H
    step: vec4<u32>,     // t; 1 for statistics of the batch; steps with fixed statistics; first work group of this dispatch
    factors: vec4<f32>,  // batch norm's epsilon
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;        // [N, T, C/4]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;       // [C + H, H], [H], [2, steps, 9 H / 4]
@group(0) @binding(3) var<storage, read_write> trace: array<vec4<f32>>;  // [T, N, H, 4], [T, H, 7]
@group(0) @binding(4) var<storage, read_write> output: array<f32>;       // [N, T, H]

// WGSL leaves open what becomes of functions where e^x overflows.
fn sigmoid(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(-clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0))));
}

fn bounded_tanh(x: f32) -> f32 {
    return tanh(clamp(x, -20.0, 20.0));
}

// Place of a clip's unit in the trace at time step t.
fn place(t: u32, n: u32, j: u32) -> u32 {
    return ((t * p.shape.x + n) * p.shape.w + j) * 4u;
}

// Mean over the clips of component `which` of the trace.
fn mean_of(which: u32, t: u32, j: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var n = 0u; n < p.shape.x; n++) {
        sum += trace[place(t, n, j) + which];
    }
    return sum / f32(p.shape.x);
}

fn variance_of(which: u32, t: u32, j: u32, mean: vec4<f32>) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var n = 0u; n < p.shape.x; n++) {
        let deviation = trace[place(t, n, j) + which] - mean;
        sum += deviation * deviation;
    }
    return sum / f32(p.shape.x);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let j = (group.x + p.step.w) * 64u + lane;
    let clips = p.shape.x;
    let steps = p.shape.y;
    let channels = p.shape.z;
    let hidden = p.shape.w;
    let t = p.step.x;
    if j >= hidden {
        return;
    }

    // The products come first, where their normalised values will be.
    for (var n = 0u; n < clips; n++) {
        var gates = vec4<f32>(0.0);
        let first = (n * steps + t) * channels;
        for (var c = 0u; c < channels; c++) {
            let value = input[first + c];
            let row = 4u * c * hidden + j;
            gates += value.x * weight[row] + value.y * weight[row + hidden];
            gates += value.z * weight[row + 2u * hidden] + value.w * weight[row + 3u * hidden];
        }
        var state_gates = vec4<f32>(0.0);
        if t > 0u {
            let before = (n * steps + t - 1u) * hidden;
            for (var i = 0u; i < hidden; i++) {
                state_gates += output[before + i] * weight[(4u * channels + i) * hidden + j];
            }
        }
        let at = place(t, n, j);
        trace[at] = gates;
        trace[at + 1u] = state_gates;
    }

    // Means and variances: those of the batch, or those of the weights.
    let bias_at = (4u * channels + hidden) * hidden + j;
    let fixed_step = min(t, p.step.z - 1u);
    let means = (4u * channels + hidden + 1u) * hidden + fixed_step * (9u * hidden / 4u);
    let variances = means + p.step.z * (9u * hidden / 4u);
    var mean = array<vec4<f32>, 2>();
    var variance = array<vec4<f32>, 2>();
    var inverse = array<vec4<f32>, 2>();
    for (var which = 0u; which < 2u; which++) {
        if p.step.y == 1u {
            mean[which] = mean_of(which, t, j);
            variance[which] = variance_of(which, t, j, mean[which]);
        } else {
            mean[which] = weight[means + which * hidden + j];
            variance[which] = weight[variances + which * hidden + j];
        }
        inverse[which] = 1.0 / sqrt(variance[which] + p.factors.x);
    }

    for (var n = 0u; n < clips; n++) {
        let at = place(t, n, j);
        trace[at] = (trace[at] - mean[0]) * inverse[0];
        trace[at + 1u] = (trace[at + 1u] - mean[1]) * inverse[1];
        let sum = trace[at] + trace[at + 1u] + weight[bias_at];
        var gates = sigmoid(sum);
        gates.z = bounded_tanh(sum.z);
        trace[at + 2u] = gates;
        var before = 0.0;
        if t > 0u {
            before = trace[place(t - 1u, n, j) + 3u].x;
        }
        trace[at + 3u] = vec4<f32>(gates.y * before + gates.x * gates.z, 0.0, 0.0, 0.0);
    }

    var cell_mean = mean_of(3u, t, j).x;
    var cell_variance = variance_of(3u, t, j, vec4<f32>(cell_mean, 0.0, 0.0, 0.0)).x;
    if p.step.y == 0u {
        cell_mean = weight[means + 2u * hidden + j / 4u][j % 4u];
        cell_variance = weight[variances + 2u * hidden + j / 4u][j % 4u];
    }
    let cell_inverse = 1.0 / sqrt(cell_variance + p.factors.x);
    for (var n = 0u; n < clips; n++) {
        let at = place(t, n, j);
        let normal = (trace[at + 3u].x - cell_mean) * cell_inverse;
        trace[at + 3u].y = normal;
        output[(n * steps + t) * hidden + j] = trace[at + 2u].w * bounded_tanh(normal);
    }

    let statistics = (steps * clips * 4u + t * 7u) * hidden + 7u * j;
    trace[statistics] = inverse[0];
    trace[statistics + 1u] = inverse[1];
    trace[statistics + 2u] = vec4<f32>(cell_inverse, cell_mean, cell_variance, 0.0);
    trace[statistics + 3u] = mean[0];
    trace[statistics + 4u] = variance[0];
    trace[statistics + 5u] = mean[1];
    trace[statistics + 6u] = variance[1];
}
