//! This project's own files.

use i3d::network::{Network, Stream};
use i3d::plan::Precision;
use i3d::weights::{Checkpoint, Format, Metadata};

use super::pickle::{Model, Style, entries};
use super::tf_writer::{Options, bundle, items};
use super::{assert_same, assert_says, network, read, sentence, variables};

fn ours(network: &Network) -> Checkpoint {
    let (index, shards) = bundle(items(&variables(network), ""), Options::default());
    Checkpoint::from_tensorflow("folder/model", &index, &[&shards[0]]).unwrap()
}

/// A file with that header and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    file
}

#[test]
fn what_is_written_is_read_again_and_always_the_same() {
    let labels: Vec<String> = ["a", "b", "c \"quoted\"", "d", "é"].map(String::from).to_vec();
    let mut original = ours(&network());
    original.metadata = Metadata { name: Some("tiny".into()), input_size: Some(64), ..Metadata::default() };
    let bytes = original.to_safetensors(Some(&labels), Precision::F32).unwrap();
    assert_eq!(bytes, original.to_safetensors(Some(&labels), Precision::F32).unwrap());
    let checkpoint = read(&bytes);
    assert_eq!(checkpoint.format, Format::Safetensors);
    assert_same(&checkpoint.tensors, &original.tensors);
    assert_eq!(
        checkpoint.metadata,
        Metadata {
            architecture: Some("i3d-inception-v1".into()),
            stream: Some(Stream::Rgb),
            width: Some(0.0625),
            input_size: Some(64),
            classes: Some(5),
            labels: Some(labels),
            source: Some("model".into()),
            source_sha256: Some(original.sha256.clone()),
            name: Some("tiny".into()),
        }
    );
    assert_eq!(checkpoint.network().unwrap(), Network { input_size: 64, ..network() });
    // Written again, it still names its first source.
    assert_eq!(read(&checkpoint.to_safetensors(None, Precision::F32).unwrap()).metadata, checkpoint.metadata);
    // The reference reader agrees.
    let reference = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let bias = reference.tensor("Logits/Conv3d_0c_1x1/conv_3d/b").unwrap();
    assert_eq!(bias.data(), super::bytes(&original.tensors["Logits/Conv3d_0c_1x1/conv_3d/b"].data));
}

#[test]
fn kernels_can_be_halved_and_nothing_else() {
    let original = ours(&network());
    let whole = original.to_safetensors(None, Precision::F32).unwrap();
    let bytes = original.to_safetensors(None, Precision::F16).unwrap();
    assert!(bytes.len() < 6 * whole.len() / 10, "{} of {}", bytes.len(), whole.len());
    for (name, tensor) in &read(&bytes).tensors {
        let stored = &original.tensors[name].data;
        let want: Vec<f32> = match name.ends_with("conv_3d/w") {
            true => stored.iter().map(|&x| half::f16::from_f32(x).to_f32()).collect(),
            false => stored.clone(),
        };
        assert_eq!(tensor.data, want, "{name}");
    }
    let mut large = original;
    large.tensors.get_mut("Conv3d_1a_7x7/conv_3d/w").unwrap().data[7] = 1e5;
    let said = sentence(large.to_safetensors(None, Precision::F16));
    let want = "has 100000 in Conv3d_1a_7x7/conv_3d/w, more than 16 bits hold; write it with 32 bits";
    assert_eq!(said, format!("folder/model: {want}"));
}

#[test]
fn the_digest_is_that_of_the_file() {
    use sha2::Digest;
    let bytes = ours(&network()).to_safetensors(None, Precision::F32).unwrap();
    let digest: String = sha2::Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(read(&bytes).sha256, digest);
}

#[test]
fn files_of_the_ports_are_read_too() {
    let expected = variables(&network());
    let entries = entries(&expected, 1, true);
    let tensors = entries.iter().map(|(name, tensor)| {
        let data = super::bytes(&tensor.data).leak();
        (
            name,
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, tensor.shape.clone(), data)
                .unwrap(),
        )
    });
    let checkpoint = read(&safetensors::serialize(tensors, None).unwrap());
    assert_same(&checkpoint.tensors, &expected);
    assert_same(&read(&Model::new(&entries, Style::Python3).zip()).tensors, &expected);
}

#[test]
fn labels_must_be_as_many_as_classes() {
    let said = sentence(ours(&network()).to_safetensors(Some(&["one".into()]), Precision::F32));
    assert!(said.contains("1 labels") && said.contains("5 classes"), "{said}");
}

#[test]
fn damaged_files_and_other_architectures_are_told() {
    let bytes = ours(&network()).to_safetensors(None, Precision::F32).unwrap();
    let said = |bytes: &[u8]| sentence(Checkpoint::from_bytes("model", bytes));
    assert_says(&said(&bytes[..bytes.len() - 1]), &["cut short", "download"]);
    assert_says(&said(&bytes[..100]), &["cut short"]);
    assert_says(&said(&file("{\"a\": 3}", &[])), &["safetensors header"]);
    let other = file(r#"{"__metadata__":{"architecture":"resnet"}}"#, &[]);
    assert_says(&said(&other), &["architecture", "resnet", "i3d-inception-v1"]);
    let integers = file(r#"{"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#, &[0; 8]);
    assert_says(&said(&integers), &["tensor x", "I64", "F32"]);
    // Sizes that overflow only when they are added up.
    let size = (1u64 << 61) - 1;
    let tensor = |i: u64| {
        format!(
            r#""t{i}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{},{}]}}"#,
            i * size,
            (i + 1) * size
        )
    };
    let sizes = format!("{{{}}}", (0..8).map(tensor).collect::<Vec<_>>().join(","));
    assert_says(&said(&file(&sizes, &[])), &["cut short or damaged"]);
}

#[test]
fn dimensions_without_values_are_harmless() {
    let many = 1usize << 22;
    let tensor = |name: &str, shape: &[usize]| {
        format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[0,0]}}"#)
    };
    let tensors = [
        tensor("Conv3d_1a_7x7.conv3d.weight", &[5, 0, many, many, many]),
        tensor("Conv3d_2b_1x1.conv3d.weight", &[0, many, many, many, 9]),
        tensor("Logits/Conv3d_0c_1x1/conv_3d/b", &[0]),
    ];
    let checkpoint = read(&file(&format!("{{{}}}", tensors.join(",")), &[]));
    assert_eq!(checkpoint.tensors["Conv3d_2b_1x1/conv_3d/w"].shape, [many, many, 9, many, 0]);
    assert_says(&sentence(checkpoint.network()), &["no I3D checkpoint"]);
    assert_says(&sentence(checkpoint.load(&network())), &["expected rgb", "found 0 input channels"]);
}

#[test]
fn metadata_that_contradicts_the_tensors_is_told() {
    let mut checkpoint = ours(&network());
    checkpoint.metadata.classes = Some(6);
    assert!(sentence(checkpoint.network()).contains("classes 6, its tensors have 5"));
    checkpoint.metadata.classes = None;
    checkpoint.metadata.stream = Some(Stream::Flow);
    assert!(sentence(checkpoint.network()).contains("stream flow, its tensors have 3 input channels"));
}
