//! Clips of known bytes: moving blocks, stripes and a disc, made of integers alone. `tests/fixtures/real/generate.py` makes the same.

/// Height and width of a clip.
pub const SIZE: usize = 224;

/// The bytes of a clip.
///
/// # Shapes
/// `[frames, SIZE, SIZE, 3]`
pub fn pixels(frames: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frames * SIZE * SIZE * 3);
    for t in 0..frames as u32 {
        for y in 0..SIZE as u32 {
            for x in 0..SIZE as u32 {
                bytes.extend((0..3).map(|c| pixel(t, y, x, c)));
            }
        }
    }
    bytes
}

fn pixel(t: u32, y: u32, x: u32, c: u32) -> u8 {
    let stripes = (x * (c + 2) + y * 3 + t * (5 + 2 * c)) % 97 * 255 / 96;
    let mix = |i: u32, factor: u32| i.wrapping_mul(factor);
    let block = mix((x + 4 * t) / 16, 73_856_093) ^ mix((y + 2 * t) / 16, 19_349_663) ^ mix(c, 83_492_791);
    let block = mix(block, 2_654_435_761) >> 24;
    let dx = i64::from(x) - i64::from(40 + t * 9 % 144);
    let dy = i64::from(y) - (184 - i64::from(t * 5 % 144));
    let value = if dx * dx + dy * dy < 32 * 32 { 255 - stripes } else { (stripes + block) / 2 };
    value as u8
}

/// Bytes as the network takes them, in [-1, 1], as `.npy`.
pub fn npy(frames: usize, pixels: impl Iterator<Item = u8>) -> Vec<u8> {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({frames}, {SIZE}, {SIZE}, 3), }}");
    // The values begin at a multiple of 64 bytes.
    let header = format!("{header:<117}\n");
    let mut file = b"\x93NUMPY\x01\0".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend(pixels.flat_map(|byte| ((2.0 * f32::from(byte) - 255.0) / 255.0).to_le_bytes()));
    file
}

/// The shape and the values of an `.npy` file of 32-bit floats, version 1.
pub fn read_npy(file: &[u8]) -> Option<(Vec<usize>, Vec<f32>)> {
    let length = usize::from(u16::from_le_bytes(file.get(8..10)?.try_into().ok()?));
    let header = std::str::from_utf8(file.get(10..10 + length)?).ok()?;
    let shape = header.split_once("'shape': (")?.1.split_once(')')?.0;
    let shape = shape.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let values = file.get(10 + length..)?.chunks_exact(4);
    Some((shape, values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()))
}
