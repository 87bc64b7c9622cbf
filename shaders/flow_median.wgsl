// The median of every 5x5 window of the flow, edges repeated; pairs that have stopped are copied.
//
// A fixed network of exchanges: columns are sorted, of each sorted row the places that cannot hold the median are
// dropped, and then the smallest and largest of eight, of seven and so on. `src/flow/median.rs` has the same one.

struct Params {
    size: vec4<u32>,     // W, H, pairs N; unused
    source: vec4<u32>,   // unused
    factors: vec4<f32>,  // unused
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> state: array<f32>;         // [6, N, H, W]: u1, u2 first
@group(0) @binding(2) var<storage, read> stopped: array<f32>;       // [N], 0 or 1
@group(0) @binding(3) var<storage, read_write> output: array<f32>;  // [2, N, H, W]

// The median of five columns in each of five rows, given as the columns' and rows' offsets.
fn median(columns: vec4<u32>, column4: u32, rows: vec4<u32>, row4: u32) -> f32 {
    var v0 = state[rows.x + columns.x];
    var v1 = state[rows.x + columns.y];
    var v2 = state[rows.x + columns.z];
    var v3 = state[rows.x + columns.w];
    var v4 = state[rows.x + column4];
    var v5 = state[rows.y + columns.x];
    var v6 = state[rows.y + columns.y];
    var v7 = state[rows.y + columns.z];
    var v8 = state[rows.y + columns.w];
    var v9 = state[rows.y + column4];
    var v10 = state[rows.z + columns.x];
    var v11 = state[rows.z + columns.y];
    var v12 = state[rows.z + columns.z];
    var v13 = state[rows.z + columns.w];
    var v14 = state[rows.z + column4];
    var v15 = state[rows.w + columns.x];
    var v16 = state[rows.w + columns.y];
    var v17 = state[rows.w + columns.z];
    var v18 = state[rows.w + columns.w];
    var v19 = state[rows.w + column4];
    var v20 = state[row4 + columns.x];
    var v21 = state[row4 + columns.y];
    var v22 = state[row4 + columns.z];
    var v23 = state[row4 + columns.w];
    var v24 = state[row4 + column4];
    var t = 0.0;
    t = min(v0, v15); v15 = max(v0, v15); v0 = t; t = min(v5, v20); v20 = max(v5, v20); v5 = t;
    t = min(v0, v10); v10 = max(v0, v10); v0 = t; t = min(v5, v15); v15 = max(v5, v15); v5 = t;
    t = min(v0, v5); v5 = max(v0, v5); v0 = t; t = min(v10, v20); v20 = max(v10, v20); v10 = t;
    t = min(v5, v10); v10 = max(v5, v10); v5 = t; t = min(v15, v20); v20 = max(v15, v20); v15 = t;
    t = min(v10, v15); v15 = max(v10, v15); v10 = t; t = min(v1, v16); v16 = max(v1, v16); v1 = t;
    t = min(v6, v21); v21 = max(v6, v21); v6 = t; t = min(v1, v11); v11 = max(v1, v11); v1 = t;
    t = min(v6, v16); v16 = max(v6, v16); v6 = t; t = min(v1, v6); v6 = max(v1, v6); v1 = t;
    t = min(v11, v21); v21 = max(v11, v21); v11 = t; t = min(v6, v11); v11 = max(v6, v11); v6 = t;
    t = min(v16, v21); v21 = max(v16, v21); v16 = t; t = min(v11, v16); v16 = max(v11, v16); v11 = t;
    t = min(v2, v17); v17 = max(v2, v17); v2 = t; t = min(v7, v22); v22 = max(v7, v22); v7 = t;
    t = min(v2, v12); v12 = max(v2, v12); v2 = t; t = min(v7, v17); v17 = max(v7, v17); v7 = t;
    t = min(v2, v7); v7 = max(v2, v7); v2 = t; t = min(v12, v22); v22 = max(v12, v22); v12 = t;
    t = min(v7, v12); v12 = max(v7, v12); v7 = t; t = min(v17, v22); v22 = max(v17, v22); v17 = t;
    t = min(v12, v17); v17 = max(v12, v17); v12 = t; t = min(v3, v18); v18 = max(v3, v18); v3 = t;
    t = min(v8, v23); v23 = max(v8, v23); v8 = t; t = min(v3, v13); v13 = max(v3, v13); v3 = t;
    t = min(v8, v18); v18 = max(v8, v18); v8 = t; t = min(v3, v8); v8 = max(v3, v8); v3 = t;
    t = min(v13, v23); v23 = max(v13, v23); v13 = t; t = min(v8, v13); v13 = max(v8, v13); v8 = t;
    t = min(v18, v23); v23 = max(v18, v23); v18 = t; t = min(v13, v18); v18 = max(v13, v18); v13 = t;
    t = min(v4, v19); v19 = max(v4, v19); v4 = t; t = min(v9, v24); v24 = max(v9, v24); v9 = t;
    t = min(v4, v14); v14 = max(v4, v14); v4 = t; t = min(v9, v19); v19 = max(v9, v19); v9 = t;
    t = min(v4, v9); v9 = max(v4, v9); v4 = t; t = min(v14, v24); v24 = max(v14, v24); v14 = t;
    t = min(v9, v14); v14 = max(v9, v14); v9 = t; t = min(v19, v24); v24 = max(v19, v24); v19 = t;
    t = min(v14, v19); v19 = max(v14, v19); v14 = t; t = min(v0, v4); v4 = max(v0, v4); v0 = t;
    t = min(v1, v4); v4 = max(v1, v4); v1 = t; t = min(v2, v4); v4 = max(v2, v4); v2 = t;
    t = min(v3, v4); v4 = max(v3, v4); v3 = t; v3 = max(v0, v3); v3 = max(v1, v3); v3 = max(v2, v3);
    t = min(v5, v6); v6 = max(v5, v6); v5 = t; t = min(v5, v7); v7 = max(v5, v7); v5 = t;
    t = min(v5, v8); v8 = max(v5, v8); v5 = t; v9 = max(v5, v9); t = min(v6, v7); v7 = max(v6, v7); v6 = t;
    t = min(v6, v8); v8 = max(v6, v8); v6 = t; v9 = max(v6, v9);
    t = min(v10, v14); v14 = max(v10, v14); v10 = t; t = min(v11, v13); v13 = max(v11, v13); v11 = t;
    t = min(v10, v11); v11 = max(v10, v11); v10 = t; v12 = max(v10, v12);
    t = min(v12, v14); v14 = max(v12, v14); v12 = t; v13 = min(v13, v14);
    t = min(v15, v19); v19 = max(v15, v19); v15 = t; t = min(v16, v19); v19 = max(v16, v19); v16 = t;
    t = min(v17, v19); v19 = max(v17, v19); v17 = t; v18 = min(v18, v19);
    t = min(v15, v18); v18 = max(v15, v18); v15 = t; t = min(v16, v18); v18 = max(v16, v18); v16 = t;
    v17 = min(v17, v18); t = min(v20, v21); v21 = max(v20, v21); v20 = t;
    t = min(v20, v22); v22 = max(v20, v22); v20 = t; t = min(v20, v23); v23 = max(v20, v23); v20 = t;
    t = min(v20, v24); v24 = max(v20, v24); v20 = t; v21 = min(v21, v22); v21 = min(v21, v23);
    v21 = min(v21, v24); t = min(v3, v13); v13 = max(v3, v13); v3 = t;
    t = min(v4, v12); v12 = max(v4, v12); v4 = t; t = min(v7, v11); v11 = max(v7, v11); v7 = t;
    t = min(v8, v9); v9 = max(v8, v9); v8 = t; t = min(v3, v4); v4 = max(v3, v4); v3 = t;
    t = min(v3, v7); v7 = max(v3, v7); v3 = t; v8 = max(v3, v8); t = min(v9, v13); v13 = max(v9, v13); v9 = t;
    t = min(v11, v13); v13 = max(v11, v13); v11 = t; v12 = min(v12, v13);
    t = min(v4, v15); v15 = max(v4, v15); v4 = t; t = min(v7, v12); v12 = max(v7, v12); v7 = t;
    t = min(v8, v11); v11 = max(v8, v11); v8 = t; t = min(v4, v7); v7 = max(v4, v7); v4 = t;
    t = min(v4, v8); v8 = max(v4, v8); v4 = t; v9 = max(v4, v9); t = min(v9, v15); v15 = max(v9, v15); v9 = t;
    t = min(v11, v15); v15 = max(v11, v15); v11 = t; v12 = min(v12, v15);
    t = min(v7, v16); v16 = max(v7, v16); v7 = t; t = min(v8, v12); v12 = max(v8, v12); v8 = t;
    t = min(v9, v11); v11 = max(v9, v11); v9 = t; t = min(v7, v8); v8 = max(v7, v8); v7 = t; v9 = max(v7, v9);
    t = min(v11, v16); v16 = max(v11, v16); v11 = t; v12 = min(v12, v16);
    t = min(v8, v17); v17 = max(v8, v17); v8 = t; t = min(v9, v12); v12 = max(v9, v12); v9 = t;
    t = min(v8, v9); v9 = max(v8, v9); v8 = t; v11 = max(v8, v11);
    t = min(v11, v17); v17 = max(v11, v17); v11 = t; v12 = min(v12, v17);
    t = min(v9, v20); v20 = max(v9, v20); v9 = t; t = min(v11, v12); v12 = max(v11, v12); v11 = t;
    v11 = max(v9, v11); v12 = min(v12, v20); t = min(v11, v21); v21 = max(v11, v21); v11 = t;
    v12 = max(v11, v12); v12 = min(v12, v21);
    return v12;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let x = i32(group.x * 64u + lane);
    let size = vec2<i32>(p.size.xy);
    if x >= size.x {
        return;
    }
    let n = group.y / p.size.y;
    let y = i32(group.y - n * p.size.y);
    let plane = p.size.x * p.size.y * p.size.z;
    let at = group.y * p.size.x + u32(x);
    if stopped[n] != 0.0 {
        output[at] = state[at];
        output[plane + at] = state[plane + at];
        return;
    }
    let near = vec4<i32>(-2, -1, 0, 1);
    let columns = vec4<u32>(clamp(x + near, vec4<i32>(0), vec4<i32>(size.x - 1)));
    let column4 = u32(min(x + 2, size.x - 1));
    let start = n * p.size.y;
    let rows = (start + vec4<u32>(clamp(y + near, vec4<i32>(0), vec4<i32>(size.y - 1)))) * p.size.x;
    let row4 = (start + u32(min(y + 2, size.y - 1))) * p.size.x;
    output[at] = median(columns, column4, rows, row4);
    output[plane + at] = median(columns, column4, rows + plane, row4 + plane);
}
