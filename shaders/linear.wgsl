// A fully connected layer: a convolution whose kernel covers the picture, so that every output position sees a row of its own.
//
// A work group computes 16 fours of channels of one row. Lanes side by side read weights side by side; every 16 of them take
// some of the inputs, and then the sums are added.

struct Params {
    input: vec4<u32>,     // N, T, H, W
    output: vec4<u32>,    // N, T, 1, 1
    kernel: vec4<u32>,    // 1, H, W; stored channels read
    stride: vec4<u32>,    // 1, 1, 1; 1 for ReLU
    pad: vec4<u32>,       // 0, 0, 0; first work group of this dispatch
    channels: vec4<u32>,  // in fours: stored input channels, output channels written, of the output buffer, first written
    source: vec4<u32>,    // in fours: first input channel read, input channels read, weights per row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;         // [N, T, H, W, Ci/4]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;        // [H, W, Ci, Co/4]
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;          // [Co/4]
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;  // [N, T, Co/4]

const COLUMNS: u32 = 16u;
const SLICES: u32 = 16u;

var<workgroup> sums: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = (group.x + p.pad.w) * COLUMNS + lane % COLUMNS;
    let row = group.y;
    let read = p.source.y;
    let inputs = p.input.z * p.input.w * read;
    var sum = vec4<f32>(0.0);
    if column < p.channels.y {
        for (var i = lane / COLUMNS; i < inputs; i += SLICES) {
            let position = row * p.input.z * p.input.w + i / read;
            let value = input[position * p.channels.x + p.source.x + i % read];
            let at = 4u * i * p.source.z + column;
            sum += value.x * weight[at] + value.y * weight[at + p.source.z];
            sum += value.z * weight[at + 2u * p.source.z] + value.w * weight[at + 3u * p.source.z];
        }
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var others = SLICES / 2u; others > 0u; others /= 2u) {
        if lane < others * COLUMNS {
            sums[lane] += sums[lane + others * COLUMNS];
        }
        workgroupBarrier();
    }
    if lane < COLUMNS && column < p.channels.y {
        var value = sums[lane] + bias[column];
        if p.stride.w == 1u {
            value = relu(value);
        }
        output[row * p.channels.z + p.channels.w + column] = value;
    }
}
