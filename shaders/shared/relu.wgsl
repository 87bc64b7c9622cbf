
// ReLU that does not hide what is broken: a number beyond the largest, of either sign, and what is no number become infinite,
// which no maximum and no further ReLU loses, so that it is seen in the logits. It works on bits because compilers may assume
// that there is nothing of the kind: a comparison and a choice can become `max`, and that makes zero of what is no number.
fn relu(value: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(value);
    let finite_below_zero = (bits ^ vec4<u32>(0x80000000u)) < vec4<u32>(0x7f800000u);
    let magnitude = select(bits, vec4<u32>(0u), finite_below_zero) & vec4<u32>(0x7fffffffu);
    return bitcast<vec4<f32>>(min(magnitude, vec4<u32>(0x7f800000u)));
}
