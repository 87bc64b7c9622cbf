// What `peaks.rs` measures an adapter with. No kernel of the network, so not in `shaders/`.

struct Params {
    size: vec4<u32>,  // vec4s to copy, rounds of multiply-adds, unused, unused
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;

// 64 multiply-adds per round and invocation, in 8 chains: as many as hide an adapter's latency and as few as fit the
// registers of a CPU that plays one. Written as the convolutions are, so that drivers contract both alike.
@compute @workgroup_size(64)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = input[0].x;
    let summand = input[0].y;
    var a = vec4<f32>(f32(id.x & 3u));
    var b = vec4<f32>(f32(id.x & 7u));
    for (var round = 0u; round < p.size.y; round++) {
        a = a * factor + summand;
        b = b * factor + summand;
        a = a * factor + summand;
        b = b * factor + summand;
        a = a * factor + summand;
        b = b * factor + summand;
        a = a * factor + summand;
        b = b * factor + summand;
        a = a * factor + summand;
        b = b * factor + summand;
        a = a * factor + summand;
        b = b * factor + summand;
        a = a * factor + summand;
        b = b * factor + summand;
        a = a * factor + summand;
        b = b * factor + summand;
    }
    output[id.x] = a + b;
}

@compute @workgroup_size(64)
fn copy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var i = id.x; i < p.size.x; i += 64u * groups.x) {
        output[i] = input[i];
    }
}
