// Mean and variance of every channel over all rows. The variance is taken from the mean in a second walk, which loses
// nothing where the mean is large beside the deviation.
//
// A work group computes four channels: every lane adds up some rows, then halves of the lanes are added pairwise.

struct Params {
    shape: vec4<u32>,    // rows; in fours: channels, channels of the output as they are stored, first of the unit's
    mode: vec4<u32>,     // 1 for statistics of these rows; first work group of this dispatch
    factors: vec4<f32>,  // batch norm's epsilon
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>;         // [rows, C/4]
@group(0) @binding(2) var<storage, read_write> moments: array<vec4<f32>>;  // [2, C/4], mean and variance

const LANES: u32 = 256u;

var<workgroup> sums: array<vec4<f32>, LANES>;

// The sum of what the lanes bring, the same for all of them.
fn total(own: vec4<f32>, lane: u32) -> vec4<f32> {
    sums[lane] = own;
    workgroupBarrier();
    for (var others = LANES / 2u; others > 0u; others /= 2u) {
        if lane < others {
            sums[lane] += sums[lane + others];
        }
        workgroupBarrier();
    }
    let sum = sums[0];
    // Nobody writes again before everybody has read.
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let channels = p.shape.y;
    let c = group.x + p.mode.y;
    let rows = p.shape.x;

    var sum = vec4<f32>(0.0);
    for (var row = lane; row < rows; row += LANES) {
        sum += values[row * channels + c];
    }
    let mean = total(sum, lane) / f32(rows);

    var squares = vec4<f32>(0.0);
    for (var row = lane; row < rows; row += LANES) {
        let deviation = values[row * channels + c] - mean;
        squares += deviation * deviation;
    }
    let variance = total(squares, lane) / f32(rows);

    if lane == 0u {
        moments[c] = mean;
        moments[channels + c] = variance;
    }
}
