// Matrix products for adapters that are programs: rows of an input times weights, for 1x1x1 convolutions and for the
// products of Winograd's convolution.
//
// Such an adapter gathers storage buffers lane by lane, but broadcasts what it reads from uniform memory. So the weights
// come through a window of 64 KiB of uniform memory, one invocation computes 4 rows x as many channels as its variant has
// columns, to use each gathered value often, and there is neither workgroup memory nor a barrier. What does not fit the
// window is added up over several dispatches.

override COLUMNS: u32 = 16u;  // columns of the weights, in fours: 8 or 16
override ADD: u32 = 0u;       // 1: add to what the output holds

struct Params {
    rows: vec4<u32>,    // rows; first workgroup of this dispatch; taps; rows from one tap to the next
    input: vec4<u32>,   // in fours: channels stored, from one point to the next; ranges (1), points (1)
    output: vec4<u32>,  // in fours: channels stored of the output, of the other; from one point to the next; 1 for ReLU
    channels: array<vec4<u32>, 3>,  // in fours: first input channel, input channels, output channels, first weight (0)
    place: array<vec4<u32>, 3>,     // 1 for the other (0); in fours: first output channel, first bias, weights per row
    image: vec4<u32>,   // unused here, and so are the following
    pooled: vec4<u32>,
    window: vec4<u32>,
    stride: vec4<u32>,
    pad: vec4<u32>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;         // [rows, C/4]
@group(0) @binding(2) var<uniform> weight: array<vec4<f32>, 4096>;        // [taps, Ci, COLUMNS]
@group(0) @binding(3) var<uniform> bias: array<vec4<f32>, 16>;            // [COLUMNS]
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;  // [rows, C/4]

const LANES: u32 = 16u;

// The weights of four input channels and four output channels.
fn weights(at: u32) -> mat4x4<f32> {
    return mat4x4<f32>(weight[at], weight[at + COLUMNS], weight[at + 2u * COLUMNS], weight[at + 3u * COLUMNS]);
}

// The four rows' bias.
fn start(column: u32) -> mat4x4<f32> {
    let b = bias[column];
    return mat4x4<f32>(b, b, b, b);
}

fn store(row: u32, column: u32, sum: vec4<f32>) {
    if row < p.rows.x && column < p.channels[0].z {
        let at = row * p.output.x + p.place[0].y + column;
        var value = sum;
        if ADD == 1u {
            value += output[at];
        }
        output[at] = select(value, max(value, vec4<f32>(0.0)), p.output.w == 1u);
    }
}

// Columns with constant numbers: a matrix indexed by a variable would live in memory.
fn store_rows(row: u32, column: u32, sums: mat4x4<f32>) {
    store(row, column, sums[0]);
    store(row + LANES, column, sums[1]);
    store(row + 2u * LANES, column, sums[2]);
    store(row + 3u * LANES, column, sums[3]);
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.x + p.rows.y) * 4u * LANES + lane;
    let last = p.rows.x - 1u;
    let depth = p.channels[0].y;
    // From the end of a tap's channels to the beginning of the next tap's.
    let gap = p.rows.w * p.input.x - depth;
    var i0 = min(first, last) * p.input.x + p.channels[0].x;
    var i1 = min(first + LANES, last) * p.input.x + p.channels[0].x;
    var i2 = min(first + 2u * LANES, last) * p.input.x + p.channels[0].x;
    var i3 = min(first + 3u * LANES, last) * p.input.x + p.channels[0].x;

    var acc0 = start(0u);
    var acc1 = start(1u);
    var acc2 = start(2u);
    var acc3 = start(3u);
    var acc4 = start(4u);
    var acc5 = start(5u);
    var acc6 = start(6u);
    var acc7 = start(7u);
    var acc8 = start(8u);
    var acc9 = start(9u);
    var acc10 = start(10u);
    var acc11 = start(11u);
    var acc12 = start(12u);
    var acc13 = start(13u);
    var acc14 = start(14u);
    var acc15 = start(15u);
    var w = 0u;
    for (var tap = 0u; tap < p.rows.z; tap++) {
        for (var c = 0u; c < depth; c++) {
            // Columns are rows of the input, rows are input channels.
            let x = mat4x4<f32>(input[i0], input[i1], input[i2], input[i3]);
            acc0 += weights(w) * x;
            acc1 += weights(w + 1u) * x;
            acc2 += weights(w + 2u) * x;
            acc3 += weights(w + 3u) * x;
            acc4 += weights(w + 4u) * x;
            acc5 += weights(w + 5u) * x;
            acc6 += weights(w + 6u) * x;
            acc7 += weights(w + 7u) * x;
            if COLUMNS > 8u {
                acc8 += weights(w + 8u) * x;
                acc9 += weights(w + 9u) * x;
                acc10 += weights(w + 10u) * x;
                acc11 += weights(w + 11u) * x;
                acc12 += weights(w + 12u) * x;
                acc13 += weights(w + 13u) * x;
                acc14 += weights(w + 14u) * x;
                acc15 += weights(w + 15u) * x;
            }
            w += 4u * COLUMNS;
            i0++;
            i1++;
            i2++;
            i3++;
        }
        i0 += gap;
        i1 += gap;
        i2 += gap;
        i3 += gap;
    }

    store_rows(first, 0u, acc0);
    store_rows(first, 1u, acc1);
    store_rows(first, 2u, acc2);
    store_rows(first, 3u, acc3);
    store_rows(first, 4u, acc4);
    store_rows(first, 5u, acc5);
    store_rows(first, 6u, acc6);
    store_rows(first, 7u, acc7);
    if COLUMNS > 8u {
        store_rows(first, 8u, acc8);
        store_rows(first, 9u, acc9);
        store_rows(first, 10u, acc10);
        store_rows(first, 11u, acc11);
        store_rows(first, 12u, acc12);
        store_rows(first, 13u, acc13);
        store_rows(first, 14u, acc14);
        store_rows(first, 15u, acc15);
    }
}
