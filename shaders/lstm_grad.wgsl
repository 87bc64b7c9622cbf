// One time step of long short-term memory on the way back; the steps behind it have been there. An invocation is a hidden unit,
// as in lstm.wgsl. What it gives are the gradients of the gates' products, of which those of all weights are made.

struct Params {
    shape: vec4<u32>,    // N, T, input channels in fours, H
    step: vec4<u32>,     // t; 1 for statistics of the batch; steps with fixed statistics; first work group of this dispatch
    factors: vec4<f32>,  // batch norm's epsilon
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;             // [C + H, H], [H], [2, steps, 9 H / 4]
@group(0) @binding(2) var<storage, read> output_grad: array<f32>;              // [N, T, H]
@group(0) @binding(3) var<storage, read_write> trace: array<vec4<f32>>;        // [T, N, H, 4], [T, H, 7]
@group(0) @binding(4) var<storage, read_write> input_gates: array<vec4<f32>>;  // [N, T, H]
@group(0) @binding(5) var<storage, read_write> state_gates: array<vec4<f32>>;  // [N, T, H]
@group(0) @binding(6) var<storage, read_write> bias_grad: array<vec4<f32>>;    // [H], added to

// Place of a clip's unit in the trace at time step t.
fn place(t: u32, n: u32, j: u32) -> u32 {
    return ((t * p.shape.x + n) * p.shape.w + j) * 4u;
}

// WGSL leaves open what becomes of tanh where e^x overflows.
fn bounded_tanh(x: f32) -> f32 {
    return tanh(clamp(x, -20.0, 20.0));
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
    // Statistics of the batch move with its values; fixed ones do not.
    let share = f32(p.step.y) / f32(clips);
    let statistics = (steps * clips * 4u + t * 7u) * hidden + 7u * j;

    // The gradient of the output, kept in the place of the cell's share for the step before.
    var sum = 0.0;
    var product = 0.0;
    for (var n = 0u; n < clips; n++) {
        let at = place(t, n, j);
        var ahead = output_grad[(n * steps + t) * hidden + j];
        if t + 1u < steps {
            let later = (n * steps + t + 1u) * hidden;
            let row = (4u * channels + j) * hidden;
            for (var i = 0u; i < hidden; i++) {
                ahead += dot(state_gates[later + i], weight[row + i]);
            }
        }
        let normal = trace[at + 3u].y;
        let bent = bounded_tanh(normal);
        let grad = ahead * trace[at + 2u].w * (1.0 - bent * bent);
        trace[at + 3u].z = ahead;
        sum += grad;
        product += grad * normal;
    }
    sum *= share;
    product *= share;

    // Through the cell's batch norm and the gates.
    let cell_inverse = trace[statistics + 2u].x;
    var gates_sum = vec4<f32>(0.0);
    var input_product = vec4<f32>(0.0);
    var state_product = vec4<f32>(0.0);
    for (var n = 0u; n < clips; n++) {
        let at = place(t, n, j);
        let gates = trace[at + 2u];
        let normal = trace[at + 3u].y;
        let ahead = trace[at + 3u].z;
        let bent = bounded_tanh(normal);
        var cell = cell_inverse * (ahead * gates.w * (1.0 - bent * bent) - sum - normal * product);
        var before = 0.0;
        if t + 1u < steps {
            cell += trace[place(t + 1u, n, j) + 3u].z;
        }
        if t > 0u {
            before = trace[place(t - 1u, n, j) + 3u].x;
        }
        let grad = vec4<f32>(cell * gates.z, cell * before, cell * gates.x, ahead * bent);
        var slope = gates * (1.0 - gates);
        slope.z = 1.0 - gates.z * gates.z;
        let bent_grad = grad * slope;
        trace[at + 3u].z = cell * gates.y;
        trace[at + 2u] = bent_grad;
        gates_sum += bent_grad;
        input_product += bent_grad * trace[at];
        state_product += bent_grad * trace[at + 1u];
    }
    bias_grad[j] += gates_sum;

    // Through the gates' batch norm.
    gates_sum *= share;
    input_product *= share;
    state_product *= share;
    for (var n = 0u; n < clips; n++) {
        let at = place(t, n, j);
        let to = (n * steps + t) * hidden + j;
        let centred = trace[at + 2u] - gates_sum;
        input_gates[to] = trace[statistics] * (centred - trace[at] * input_product);
        state_gates[to] = trace[statistics + 1u] * (centred - trace[at + 1u] * state_product);
    }
}
