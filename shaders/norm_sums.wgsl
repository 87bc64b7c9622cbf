// The two sums over all rows that the way back through ReLU and batch norm needs: of the gradient that ReLU lets pass, which
// is the gradient of the offset, and of its product with the normalised values.
//
// A work group computes four channels: every lane adds up some rows, then halves of the lanes are added pairwise.

struct Params {
    shape: vec4<u32>,    // rows; in fours: channels, channels of the output as they are stored, first of the unit's
    mode: vec4<u32>,     // 1 for statistics of these rows; first work group of this dispatch
    factors: vec4<f32>,  // batch norm's epsilon
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>;       // [rows, C/4]
@group(0) @binding(2) var<storage, read> moments: array<vec4<f32>>;      // [2, C/4], mean and variance
@group(0) @binding(3) var<storage, read> output: array<vec4<f32>>;       // [rows, stored/4]
@group(0) @binding(4) var<storage, read> output_grad: array<vec4<f32>>;  // [rows, stored/4]
@group(0) @binding(5) var<storage, read_write> sums: array<vec4<f32>>;   // [2, C/4]

const LANES: u32 = 256u;

var<workgroup> shares: array<vec4<f32>, LANES>;

// The sum of what the lanes bring, the same for all of them.
fn total(own: vec4<f32>, lane: u32) -> vec4<f32> {
    shares[lane] = own;
    workgroupBarrier();
    for (var others = LANES / 2u; others > 0u; others /= 2u) {
        if lane < others {
            shares[lane] += shares[lane + others];
        }
        workgroupBarrier();
    }
    let sum = shares[0];
    // Nobody writes again before everybody has read.
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let channels = p.shape.y;
    let c = group.x + p.mode.y;
    let mean = moments[c];
    let inverse = 1.0 / sqrt(moments[channels + c] + p.factors.x);

    var sum = vec4<f32>(0.0);
    var product = vec4<f32>(0.0);
    for (var row = lane; row < p.shape.x; row += LANES) {
        let at = row * p.shape.z + p.shape.w + c;
        // ReLU passes what it did not clamp.
        let grad = select(vec4<f32>(0.0), output_grad[at], output[at] > vec4<f32>(0.0));
        sum += grad;
        product += grad * (values[row * channels + c] - mean) * inverse;
    }
    sum = total(sum, lane);
    product = total(product, lane);

    if lane == 0u {
        sums[c] = sum;
        sums[channels + c] = product;
    }
}
