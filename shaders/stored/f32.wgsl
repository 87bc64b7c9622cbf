
// What every kernel with stored tensors ends with: four numbers as they are stored, here in 32 bits.

alias Stored = vec4<f32>;

fn stored(value: vec4<f32>) -> Stored {
    return value;
}
