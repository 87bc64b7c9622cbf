
// What every kernel with stored tensors ends with: four numbers as they are stored, here in 16 bits.

alias Stored = vec4<f16>;

// WGSL leaves open how a conversion rounds, and what becomes of a number that is too large. An adapter that cuts off would make
// the numbers smaller layer by layer. So it is here that a number is rounded to 11 bits, to the nearest and to the even one
// of two, and made infinite.
fn stored(value: vec4<f32>) -> Stored {
    let bits = bitcast<vec4<u32>>(value);
    let odd = (bits >> vec4<u32>(13u)) & vec4<u32>(1u);
    let nearest = bitcast<vec4<f32>>((bits + vec4<u32>(0xfffu) + odd) & vec4<u32>(0xffffe000u));
    return Stored(select(nearest, value * 3.0e38, abs(nearest) > vec4<f32>(65504.0)));
}
