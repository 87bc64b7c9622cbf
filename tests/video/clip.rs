//! Clips and the array files that carry them.

use i3d::clip::{Clip, npy_bytes};
use i3d::network::Stream;
use npyz::WriterBuilder;
use std::io::Write;

fn ramp(shape: [usize; 4]) -> Clip {
    let [frames, height, width, channels] = shape;
    let data = (0..shape.iter().product()).map(|i: usize| (i as f32 * 0.37).sin()).collect();
    Clip { frames, height, width, channels, data }
}

/// A `.npy` file written by another library.
fn npy<T: npyz::AutoSerialize + npyz::Serialize + Copy>(
    shape: &[u64],
    values: &[T],
    order: npyz::Order,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .order(order)
        .writer(&mut bytes)
        .begin_nd()
        .expect("a header");
    writer.extend(values.iter().copied()).expect("memory takes all");
    writer.finish().expect("as many values as the shape has");
    bytes
}

/// A `.npy` file with any header and values.
fn raw(header: &str, values: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn npz(entries: &[(&str, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file(*name, options).expect("memory takes all");
        archive.write_all(bytes).expect("memory takes all");
    }
    archive.finish().expect("memory takes all").into_inner()
}

#[track_caller]
fn rejected(bytes: &[u8], words: &[&str]) {
    let error = Clip::from_bytes("clip.npy", bytes, None).expect_err("this is no clip");
    assert_eq!(error.code(), "clip");
    let text = error.to_string();
    assert!(text.starts_with("clip.npy"), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

#[test]
fn there_and_back() {
    let clip = ramp([3, 4, 5, 3]);
    let bytes = clip.to_npy();
    assert_eq!(Clip::from_npy("x", &bytes).expect("it is ours"), clip);
    let theirs = npyz::NpyFile::new(&bytes[..]).expect("another library reads it");
    assert_eq!(theirs.shape(), [3, 4, 5, 3]);
    assert_eq!(theirs.into_vec::<f32>().expect("float32"), clip.data);
    for shape in [&[][..], &[7], &[2, 0]] {
        let count = shape.iter().product::<usize>();
        let bytes = npy_bytes(shape, &vec![0.5; count]);
        assert_eq!((bytes.len() - count * 4) % 64, 0, "the values are aligned");
        let theirs = npyz::NpyFile::new(&bytes[..]).expect("another library reads it");
        assert_eq!(theirs.shape(), shape.iter().map(|&d| d as u64).collect::<Vec<_>>());
    }
}

#[test]
fn accepted_layouts() {
    let clip = ramp([2, 3, 4, 2]);
    assert_eq!(clip.stream(), Some(Stream::Flow));
    let read = |bytes: &[u8]| Clip::from_npy("x", bytes).expect("a clip");
    assert_eq!(read(&npy(&[2, 3, 4, 2], &clip.data, npyz::Order::C)), clip);
    assert_eq!(read(&npy(&[1, 2, 3, 4, 2], &clip.data, npyz::Order::C)), clip);
    let big: Vec<u8> = clip.data.iter().flat_map(|v| v.to_be_bytes()).collect();
    assert_eq!(read(&raw("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3, 4, 2), }\n", &big)), clip);
    let mut transposed = Vec::new();
    for c in 0..2 {
        for x in 0..4 {
            for y in 0..3 {
                transposed.extend((0..2).map(|t| clip.data[((t * 3 + y) * 4 + x) * 2 + c]));
            }
        }
    }
    assert_eq!(read(&npy(&[2, 3, 4, 2], &transposed, npyz::Order::Fortran)), clip);
    assert_eq!(read(&npy(&[1, 2, 3, 4, 2], &transposed, npyz::Order::Fortran)), clip);
}

#[test]
fn rejected_arrays() {
    let c = npyz::Order::C;
    let good = ramp([2, 3, 4, 3]).to_npy();
    rejected(&[], &["empty", "0 bytes"]);
    rejected(b"not an array at all", &["no .npy file"]);
    rejected(&good[..7], &["cut off inside its header"]);
    rejected(&good[..60], &["cut off inside its header"]);
    rejected(&good[..good.len() - 1], &["cut off", "288 bytes", "287 are there"]);
    rejected(&[&good[..], &[0; 8]].concat(), &["8 bytes more"]);
    rejected(&npy(&[1, 1, 1, 3], &[0.0f64; 3], c), &["float64", "float32", "astype(numpy.float32)"]);
    rejected(&npy(&[1, 1, 1, 3], &[0i64; 3], c), &["int64"]);
    rejected(&npy(&[1, 1, 1, 3], &[0u8; 3], c), &["uint8", "scale"]);
    rejected(&npy(&[2, 3], &[0f32; 6], c), &["[2, 3]", "[T, H, W, C]"]);
    rejected(&npy(&[2, 1, 1, 1, 3], &[0f32; 6], c), &["2 clips"]);
    rejected(&npy(&[1, 3, 4, 4], &[0f32; 48], c), &["[1, 3, 4, 4]", "3 (RGB)"]);
    rejected(&npy(&[3, 1, 4, 4], &[0f32; 48], c), &["4 channels", "channels must come last"]);
    rejected(&npy(&[1, 1, 1, 4], &[0f32; 4], c), &["4 channels"]);
    rejected(&npy::<f32>(&[0, 2, 2, 3], &[], c), &["[0, 2, 2, 3]", "at least one frame"]);
    let mut values = ramp([2, 3, 4, 3]).data;
    values[((3 + 2) * 4 + 1) * 3 + 2] = f32::NAN;
    rejected(&npy(&[2, 3, 4, 3], &values, c), &["[t=1, y=2, x=1, c=2]", "NaN"]);
    rejected(&npy(&[1, 1, 1, 3], &[0.0, f32::NEG_INFINITY, 0.0], c), &["c=1", "-inf"]);
    rejected(
        &raw("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 1, 3), }", b"\x80\x04"),
        &["Python objects", "pickle"],
    );
    rejected(
        &raw("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1, 1, 3), }", &[0; 12]),
        &["records"],
    );
    rejected(
        &raw("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1000000000, 3), }", &[0; 12]),
        &["12000000000 bytes", "12 are there"],
    );
    let huge =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999, 99999999999, 3), }";
    rejected(&raw(huge, &[0; 12]), &["more bytes than any computer holds"]);
    rejected(&raw("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2, 2, 3), }", &[]), &["`shape`"]);
    rejected(&raw("{'descr': '<f4', 'shape': (1, 2, 2, 3), }", &[]), &["`fortran_order`"]);
    rejected(b"\x93NUMPY\x09\x00\x00\x00\x00\x00\x00\x00", &["version 9"]);
    rejected(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", &["cut off inside its header"]);
}

#[test]
fn archives() {
    let (rgb, flow) = (ramp([2, 3, 4, 3]), ramp([1, 3, 4, 2]));
    for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
        let one = npz(&[("whatever.npy", rgb.to_npy())], method);
        assert_eq!(Clip::from_bytes("x", &one, None).expect("one array"), rgb);
        let both = npz(&[("rgb.npy", rgb.to_npy()), ("flow.npy", flow.to_npy())], method);
        assert_eq!(Clip::from_npz("x", &both, Some(Stream::Flow)).expect("named"), flow);
        assert_eq!(Clip::from_npz("x", &both, Some(Stream::Rgb)).expect("named"), rgb);
        rejected(&both, &["both `rgb` and `flow`"]);
        let other = npz(&[("labels.npy", flow.to_npy()), ("rgb.npy", rgb.to_npy())], method);
        assert_eq!(Clip::from_bytes("x", &other, None).expect("the named one"), rgb);
        let unnamed = npz(&[("arr_1.npy", flow.to_npy()), ("arr_0.npy", rgb.to_npy())], method);
        assert_eq!(Clip::from_bytes("x", &unnamed, None).expect("the first"), rgb);
        rejected(&npz(&[("a.npy", rgb.to_npy()), ("b.npy", rgb.to_npy())], method), &["`a`, `b`", "`rgb`"]);
        rejected(&npz(&[("a.npy", vec![1, 2, 3])], method), &["array `a`", "no .npy file"]);
        rejected(&one[..one.len() / 2], &["no intact .npz"]);
    }
    rejected(&npz(&[("readme.txt", vec![1])], zip::CompressionMethod::Stored), &["no arrays"]);
}

#[test]
fn frames_come_and_go() {
    let mut clip = Clip::empty(1, 2, 3);
    for t in 0..3 {
        clip.push_frame(&[t as f32; 6]).expect("it fits");
    }
    clip.push_frame(&[0.0; 5]).expect_err("it does not fit");
    assert_eq!((clip.frames, clip.stream()), (3, Some(Stream::Rgb)));
    let order = |clip: &Clip| clip.data.chunks(6).map(|frame| frame[0] as u32).collect::<Vec<_>>();
    assert_eq!(order(&clip.clone().looped_to(8)), [0, 1, 2, 0, 1, 2, 0, 1]);
    assert_eq!(clip.clone().looped_to(2), clip);
    assert_eq!(order(&clip.clone().first(2)), [0, 1]);
    assert_eq!(clip.clone().first(9), clip);
    assert_eq!(Clip::empty(1, 2, 3).looped_to(5).frames, 0);
    assert_eq!(Clip::empty(1, 1, 5).stream(), None);
}
