// The second frame and its gradient at the displaced positions, and what the iteration needs of them. Pair n is
// frames n and n + 1.

struct Params {
    size: vec4<u32>,     // W, H, pairs N; unused
    source: vec4<u32>,   // unused
    factors: vec4<f32>,  // unused
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> frames: array<f32>;      // [N + 1, H, W]
@group(0) @binding(2) var<storage, read> gradient: array<f32>;    // [2, N + 1, H, W]
@group(0) @binding(3) var<storage, read> state: array<f32>;       // [6, N, H, W]: u1, u2 first
@group(0) @binding(4) var<storage, read_write> data: array<f32>;  // [4, N, H, W]

// The weights of four taps at a share of a pixel after the second of them; sharpness -0.75 as in OpenCV.
fn cubic(share: f32) -> vec4<f32> {
    let a = -0.75;
    let far = share + 1.0;
    let near = 1.0 - share;
    let first = ((a * far - 5.0 * a) * far + 8.0 * a) * far - 4.0 * a;
    let second = ((a + 2.0) * share - (a + 3.0)) * share * share + 1.0;
    let third = ((a + 2.0) * near - (a + 3.0)) * near * near + 1.0;
    return vec4<f32>(first, second, third, 1.0 - first - second - third);
}

// Weights of taps outside of `length` pixels become zero.
fn within(weights: vec4<f32>, first: i32, length: i32) -> vec4<f32> {
    let at = vec4<i32>(first) + vec4<i32>(0, 1, 2, 3);
    return select(vec4<f32>(0.0), weights, (at >= vec4<i32>(0)) & (at < vec4<i32>(length)));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let x = group.x * 64u + lane;
    if x >= p.size.x {
        return;
    }
    let size = vec2<i32>(p.size.xy);
    let n = group.y / p.size.y;
    let y = group.y - n * p.size.y;
    let at = group.y * p.size.x + x;
    let image = p.size.x * p.size.y;
    let plane = image * p.size.z;
    let u = vec2<f32>(state[at], state[plane + at]);

    // Far outside, where every tap counts as zero, the exact position does not matter.
    let position = clamp(vec2<f32>(vec2<u32>(x, y)) + u, vec2<f32>(-4.0), vec2<f32>(size) + 4.0);
    let corner = floor(position);
    let first = vec2<i32>(corner) - vec2<i32>(1);
    let share = position - corner;
    let wx = within(cubic(share.x), first.x, size.x);
    let wy = within(cubic(share.y), first.y, size.y);
    let columns = vec4<u32>(clamp(vec4<i32>(first.x) + vec4<i32>(0, 1, 2, 3), vec4<i32>(0), vec4<i32>(size.x - 1)));
    let second = (n + 1u) * image;
    let along_y = plane + image;
    var sum = vec3<f32>(0.0);
    for (var j = 0; j < 4; j++) {
        let row = second + u32(clamp(first.y + j, 0, size.y - 1)) * p.size.x;
        let i = vec4<u32>(row) + columns;
        let k = i + vec4<u32>(along_y);
        let value = vec4<f32>(frames[i.x], frames[i.y], frames[i.z], frames[i.w]);
        let gx = vec4<f32>(gradient[i.x], gradient[i.y], gradient[i.z], gradient[i.w]);
        let gy = vec4<f32>(gradient[k.x], gradient[k.y], gradient[k.z], gradient[k.w]);
        let weights = wx * wy[j];
        sum += weights.x * vec3<f32>(value.x, gx.x, gy.x);
        sum += weights.y * vec3<f32>(value.y, gx.y, gy.y);
        sum += weights.z * vec3<f32>(value.z, gx.z, gy.z);
        sum += weights.w * vec3<f32>(value.w, gx.w, gy.w);
    }
    let square = sum.y * sum.y + sum.z * sum.z;
    data[at] = sum.y;
    data[plane + at] = sum.z;
    // Where the picture is flat the data says nothing: no step. The bound is C's FLT_EPSILON.
    data[2u * plane + at] = select(0.0, 1.0 / square, square > 1.1920929e-7);
    data[3u * plane + at] = sum.x - sum.y * u.x - sum.z * u.y - frames[at];
}
