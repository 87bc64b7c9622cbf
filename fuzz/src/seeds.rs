//! Writes what every target begins with: `seeds FOLDER` makes a folder per target. The files are those of the library's
//! tests, only smaller.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use i3d::clip::npy_bytes;
use i3d::weights::Tensor;
use i3d_fuzz::archive;
use image::{DynamicImage, Frame, ImageFormat, RgbaImage};

#[path = "../../tests/weights/numpy_writer.rs"]
#[allow(dead_code, reason = "written for the tests of the readers, which use more of it")]
mod numpy_writer;
#[path = "../../tests/weights/pickle.rs"]
#[allow(dead_code, reason = "written for the tests of the readers, which use more of it")]
mod pickle;
#[path = "../../tests/weights/tf_writer.rs"]
#[allow(dead_code, reason = "written for the tests of the readers, which use more of it")]
mod tf_writer;

use numpy_writer::{Arrays, file, tree};
use pickle::{Model, Style};
use tf_writer::{Options, bundle, items, v1};

/// What the writers take from the crate around them.
type Tensors = BTreeMap<String, Tensor>;

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// A network's names under those of a port.
fn names(column: usize) -> BTreeMap<String, String> {
    let table = include_str!("../../tests/fixtures/weight_names.tsv");
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        (columns[0].to_string(), columns[column].to_string())
    };
    table.lines().skip(1).map(row).collect()
}

/// A unit with batch norm and the classifier, two channels wide.
fn tensors() -> Tensors {
    let shapes: [(&str, &[usize]); 6] = [
        ("Mixed_3b/Branch_0/Conv3d_0a_1x1/conv_3d/w", &[1, 1, 1, 2, 2]),
        ("Mixed_3b/Branch_0/Conv3d_0a_1x1/batch_norm/beta", &[2]),
        ("Mixed_3b/Branch_0/Conv3d_0a_1x1/batch_norm/moving_mean", &[2]),
        ("Mixed_3b/Branch_0/Conv3d_0a_1x1/batch_norm/moving_variance", &[2]),
        ("Logits/Conv3d_0c_1x1/conv_3d/w", &[1, 1, 1, 2, 3]),
        ("Logits/Conv3d_0c_1x1/conv_3d/b", &[3]),
    ];
    let tensor = |(name, shape): (&str, &[usize])| {
        let data = (0..shape.iter().product()).map(|i| i as f32).collect();
        (name.to_string(), Tensor { shape: shape.to_vec(), data })
    };
    shapes.map(tensor).into()
}

fn main() {
    let folder = std::env::args().nth(1).expect("usage: seeds FOLDER");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder).expect("the folder is made");
        std::fs::write(folder.join(name), bytes).expect("the seed is written");
    };
    let tensors = tensors();
    let behind = |first: u8, rest: &[u8]| [&[first], rest].concat();

    let entry = |name: &str, dtype: &str, end: usize| {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":[1,2],"data_offsets":[{},{end}]}}"#, end - 8)
    };
    let header = format!(
        r#"{{"__metadata__":{{"architecture":"i3d-inception-v1","stream":"rgb","width":"1.0","labels":"[\"a\"]"}},{},{}}}"#,
        entry("Conv3d_1a_7x7/conv_3d/w", "F32", 8),
        entry("logits.conv3d.bias", "I32", 16)
    );
    let safetensors = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
    write("safetensors", "small", &safetensors);

    for (name, style) in [("python2", Style::Python2), ("python3", Style::Python3)] {
        let mut model = Model::new(&pickle::entries(&tensors, 1, true), style);
        model.wrappers = vec!["state_dict"];
        write("torch_legacy", name, &model.legacy()[15..]);
        write("torch_zip", &format!("{name}_file"), &behind(1, &model.zip()));
        for (index, storage) in model.storages.iter_mut().enumerate() {
            storage.key = format!("{}", index % 2);
        }
        write("torch_zip", &format!("{name}_pickle"), &behind(0, &model.pickle(2, false)));
    }
    let plain = Arrays::default();
    for (name, arrays) in [
        ("plain", plain),
        ("old", Arrays { protocol: 2, fortran: true, ..plain }),
        ("new", Arrays { protocol: 5, descr: "f8", ..plain }),
        ("jax", Arrays { jax: true, frozen: true, order: ">", ..plain }),
    ] {
        write("flax", name, &file(&tree(&tensors), arrays));
    }

    let (index, shards) = bundle(items(&tensors, "RGB/"), Options { block: 3, ..Options::default() });
    let mut shard = shards.concat();
    shard.resize(index.len(), 0);
    write("tf_index", "file", &behind(1, &[index, shard].concat()));
    let header: &[u8] = &[8, 1, 0x1a, 2, 8, 1];
    let record: &[u8] = &[8, 1, 0x12, 4, 0x12, 2, 8, 2, 0x28, 8, 0x35, 1, 2, 3, 4];
    let piece = |bytes: &[u8]| [&(bytes.len() as u16).to_le_bytes(), bytes].concat();
    let records = [piece(header), piece(record)].concat();
    write("tf_index", "records", &behind(0, &[&records[..], &vec![0; records.len()]].concat()));
    let few: Vec<_> = items(&tensors, "InceptionV1/").into_iter().take(2).collect();
    write("tf_v1", "file", &behind(1, &v1(&few, &[], Options { snappy: true, ..Options::default() })));
    let header = [0x0a, 17, 0x0a, 15, 0x0a, 1, b'x', 0x12, 4, 0x12, 2, 8, 2, 0x18, 1, 0x22, 2, 0x0a, 0];
    let record = tf_writer::v1_record("x", &[0x0a, 0], &[0x2a, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    write("tf_v1", "records", &behind(0, &[piece(&header), piece(&record)].concat()));

    let npy = npy_bytes(&[2, 2, 2, 3], &[0.5; 24]);
    write("npy", "plain", &npy);
    let text = String::from_utf8_lossy(&npy).replace("False", "True ").replace("<f4", ">f4");
    write("npy", "turned", text.as_bytes());
    write("npz", "array", &behind(0, &npy));
    write("npz", "file", &behind(1, &archive(&[("rgb.npy", &npy), ("flow.npy", &npy)], true)));

    let json = r#"{"streams":[{"index":0,"codec_type":"video","codec_name":"h264","width":16,"height":16,"pix_fmt":"yuv420p","r_frame_rate":"25/1",
        "avg_frame_rate":"25/1","time_base":"1/25","start_time":"0.0","duration":"1.0","nb_frames":"25","sample_aspect_ratio":"4:3",
        "disposition":{"default":1,"attached_pic":0},"side_data_list":[{"side_data_type":"Display Matrix","rotation":-90,
        "displaymatrix":"\n00000000: 0 65536 0\n00000001: -65536 0 0\n00000002: 0 0 1073741824\n"}]}],"format":{"duration":"1.0","format_name":"mov"}}"#;
    write("probe", "video", json.as_bytes());
    write("labels", "list", b"walking\nrunning\n# a remark\n\n\"jumping, high\"\n");
    write("labels", "numbered", b"0 walking\n1 running\n");

    let picture =
        |seed: u8| RgbaImage::from_fn(9, 7, |x, y| image::Rgba([x as u8 * seed, y as u8 * 30, seed, 255]));
    for (name, format) in [
        ("png", ImageFormat::Png),
        ("jpeg", ImageFormat::Jpeg),
        ("webp", ImageFormat::WebP),
        ("bmp", ImageFormat::Bmp),
    ] {
        let mut bytes = Cursor::new(Vec::new());
        let image = DynamicImage::from(picture(20)).to_rgb8();
        image.write_to(&mut bytes, format).expect("memory takes it");
        write("pictures", name, bytes.get_ref());
    }
    let mut gif = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
        encoder.encode_frames((1..4).map(|seed| Frame::new(picture(seed * 20)))).expect("memory takes it");
    }
    write("pictures", "gif", &gif);

    // NUT is ffmpeg's own container; without ffmpeg its target begins with nothing.
    let arguments = "-v error -f lavfi -i testsrc=s=16x16:r=5:d=1 -c:v rawvideo -pix_fmt yuv420p -f nut -";
    match Command::new("ffmpeg").args(arguments.split(' ')).output() {
        Ok(output) if output.status.success() => write("nut", "video", &output.stdout),
        _ => eprintln!("no ffmpeg, so no seed for nut"),
    }
}
