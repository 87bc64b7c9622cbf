
// What every kernel with stored tensors ends with: four numbers as they are stored, here in 16 bits.

alias Stored = vec4<f16>;

// WGSL leaves open how a conversion rounds, and what becomes of a number that is too large. An adapter that cuts off would make
// the numbers smaller layer by layer. So it is here that a number is rounded to 11 bits, to the nearest and to the even one
// of two. What 16 bits cannot hold, of either sign, and what is no number become infinite, since that is what maxima keep.
// The sign is left out of the sum: all bits may be set in what is no number, and the sum would begin again at zero.
fn stored(value: vec4<f32>) -> Stored {
    let bits = bitcast<vec4<u32>>(value);
    let odd = (bits >> vec4<u32>(13u)) & vec4<u32>(1u);
    let magnitude = (bits & vec4<u32>(0x7fffffffu)) + vec4<u32>(0xfffu) + odd;
    let nearest = (magnitude & vec4<u32>(0xffffe000u)) | (bits & vec4<u32>(0x80000000u));
    // From 65536 on; the last before it is 65504.
    return Stored(bitcast<vec4<f32>>(select(nearest, vec4<u32>(0x7f800000u), magnitude >= vec4<u32>(0x47800000u))));
}
