//! PyTorch's legacy and zip files.

use i3d::weights::{Checkpoint, Format, Tensor};

use super::pickle::{Model, Pickle, Style, entries, zip};
use super::{assert_same, assert_says, bytes, network, read, sentence, variables};

const PIERGIAJ: usize = 1;
const HASSONY2: usize = 2;

#[test]
fn both_formats_both_pythons_and_both_ports_give_the_same_tensors() {
    let expected = variables(&network());
    for column in [PIERGIAJ, HASSONY2] {
        for style in [Style::Python2, Style::Python3] {
            for counters in [false, true] {
                let model = Model::new(&entries(&expected, column, counters), style);
                for (file, format) in
                    [(model.legacy(), Format::PyTorchLegacy), (model.zip(), Format::PyTorchZip)]
                {
                    let checkpoint = read(&file);
                    assert_eq!(checkpoint.format, format);
                    assert_same(&checkpoint.tensors, &expected);
                    assert_eq!(checkpoint.skipped.len(), if counters { 114 } else { 57 });
                    assert_eq!(checkpoint.network().unwrap(), network());
                }
            }
        }
    }
}

#[test]
fn wrappers_and_prefixes_are_removed() {
    let expected = variables(&network());
    let mut entries = entries(&expected, PIERGIAJ, true);
    entries.iter_mut().for_each(|(name, _)| *name = format!("module.{name}"));
    let mut model = Model::new(&entries, Style::Python3);
    for wrappers in [vec!["state_dict"], vec!["model_state_dict"], vec!["model", "state_dict"]] {
        model.wrappers = wrappers;
        assert_same(&read(&model.legacy()).tensors, &expected);
        assert_same(&read(&model.zip()).tensors, &expected);
    }
    assert!(read(&model.zip()).skipped.contains(&"epoch".to_string()));
}

#[test]
fn strides_offsets_shared_storages_and_views_are_followed() {
    let expected = variables(&network());
    let entries = entries(&expected, PIERGIAJ, false);
    let mut model = Model::new(&entries, Style::Python3);

    // The last tensor's first two axes exchanged in memory.
    let weight = model.tensors.iter().position(|t| t.name == "Conv3d_2c_3x3.conv3d.weight").unwrap();
    let tensor = &entries[weight].1;
    let (outs, ins, taps) = (tensor.shape[0], tensor.shape[1], 27);
    let mut swapped = Vec::new();
    for i in 0..ins {
        for o in 0..outs {
            swapped.extend_from_slice(&tensor.data[(o * ins + i) * taps..][..taps]);
        }
    }
    model.storages[weight].bytes = bytes(&swapped);
    model.tensors[weight].strides[..2].copy_from_slice(&[taps, outs * taps]);

    // Two vectors in one storage, the second behind the first.
    let [a, b] = ["Mixed_3b.b0.bn.bias", "Mixed_3c.b0.bn.bias"]
        .map(|name| model.tensors.iter().position(|t| t.name == name).unwrap());
    let mut both = model.storages[a].clone();
    both.bytes.extend(model.storages[b].bytes.clone());
    both.count += model.storages[b].count;
    model.tensors[b].offset = model.storages[a].count;
    model.tensors[b].storage = a;
    model.storages[a] = both;
    // The storage nobody uses any more goes.
    model.storages.remove(b);
    model.tensors.iter_mut().filter(|t| t.storage > b).for_each(|t| t.storage -= 1);

    assert_same(&read(&model.legacy()).tensors, &expected);
    assert_same(&read(&model.zip()).tensors, &expected);

    // The same second vector as a view of the legacy format: offset in the view metadata.
    model.tensors[b].view =
        Some((model.tensors[b].offset, model.storages[model.tensors[b].storage].count / 2));
    model.tensors[b].offset = 0;
    model.tensors[b].view.as_mut().unwrap().1 = model.tensors[b].shape[0];
    assert_same(&read(&model.legacy()).tensors, &expected);
}

#[test]
fn half_and_double_storages_are_converted_and_integers_refused() {
    let expected = variables(&network());
    let mut model = Model::new(&entries(&expected, PIERGIAJ, false), Style::Python3);
    for storage in &mut model.storages {
        let values: Vec<f32> =
            storage.bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        storage.class = "DoubleStorage";
        storage.bytes = values.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect();
    }
    assert_same(&read(&model.legacy()).tensors, &expected);
    assert_same(&read(&model.zip()).tensors, &expected);
    model.storages[0].class = "LongStorage";
    let said = sentence(Checkpoint::from_bytes("model", &model.zip()));
    assert_says(&said, &[&model.tensors[0].name, "torch.LongStorage", "FloatStorage"]);
}

#[test]
fn a_scale_is_folded_into_weights_and_means() {
    let expected = variables(&network());
    let mut entries = entries(&expected, HASSONY2, false);
    let (_, scale) =
        entries.iter_mut().find(|(name, _)| name == "mixed_4c.branch_2.1.batch3d.weight").unwrap();
    scale.data = (0..scale.data.len()).map(|i| 0.5 + i as f32).collect();
    let scale = scale.data.clone();
    let checkpoint = read(&Model::new(&entries, Style::Python3).zip());
    let mut folded = expected.clone();
    for variable in ["conv_3d/w", "batch_norm/moving_mean"] {
        let tensor = folded.get_mut(&format!("Mixed_4c/Branch_2/Conv3d_0b_3x3/{variable}")).unwrap();
        tensor.data.iter_mut().enumerate().for_each(|(i, x)| *x *= scale[i % scale.len()]);
    }
    assert_same(&checkpoint.tensors, &folded);
    assert_eq!(checkpoint.skipped.len(), 56);
}

#[test]
fn no_name_outside_of_the_short_list_is_ever_followed() {
    for (module, name) in
        [("posix", "system"), ("builtins", "eval"), ("torch", "load"), ("torch.nn", "Linear")]
    {
        for protocol in [2, 4] {
            let mut pickle = Pickle::new(protocol, Style::Python3);
            pickle.global(module, name);
            pickle.text("touch /nowhere");
            pickle.0.extend(b"\x85R.");
            let file = zip(&[("model/data.pkl".into(), pickle.0)]);
            let said = sentence(Checkpoint::from_bytes("model", &file));
            assert_says(&said, &[&format!("`{module}.{name}`"), "never runs", "state_dict()"]);
        }
    }
    let inst = zip(&[("model/data.pkl".into(), b"\x80\x02(iposix\nsystem\n.".to_vec())]);
    assert_says(&sentence(Checkpoint::from_bytes("model", &inst)), &["`posix.system`"]);
}

#[test]
fn what_is_no_state_dict_is_told() {
    let said = |pickle: &[u8]| {
        sentence(Checkpoint::from_bytes("model", &zip(&[("model/data.pkl".into(), pickle.to_vec())])))
    };
    assert_says(&said(b"\x80\x02]."), &["a list", "dictionary", "state_dict()"]);
    assert_says(&said(b"\x80\x02}."), &["empty dictionary"]);
    assert_says(&said(b"\x80\x02}U\x05epochK\x03s."), &["without tensors", "epoch"]);
    assert_says(&said(b"\x80\x09}."), &["protocol 9"]);
    assert_says(&said(b"\x80\x02u."), &["damaged", "at byte 2"]);
    assert_says(&said(b"\x80\x02h\x07."), &["recalls value 7"]);
    assert_says(&said(b"\x80\x02"), &["cut short"]);
    let program = zip(&[("m/data.pkl".into(), vec![]), ("m/constants.pkl".into(), vec![])]);
    assert_says(&sentence(Checkpoint::from_bytes("model", &program)), &["TorchScript"]);
    let other = zip(&[("readme.txt".into(), b"hello".to_vec())]);
    assert_says(&sentence(Checkpoint::from_bytes("model", &other)), &["zip file without data.pkl"]);
    let big = zip(&[("m/data.pkl".into(), b"\x80\x02}.".to_vec()), ("m/byteorder".into(), b"big".to_vec())]);
    assert_says(&sentence(Checkpoint::from_bytes("model", &big)), &["byte order", "big"]);
}

#[test]
fn files_cut_short_and_wrong_sizes_are_told() {
    let model = Model::new(&entries(&variables(&network()), PIERGIAJ, false), Style::Python3);
    let legacy = model.legacy();
    let cut = sentence(Checkpoint::from_bytes("model", &legacy[..legacy.len() - 100]));
    assert_says(&cut, &["cut short", "download"]);
    let file = model.zip();
    let cut = sentence(Checkpoint::from_bytes("model", &file[..file.len() / 2]));
    assert_says(&cut, &["cut short", "download"]);
    let mut missing = model.clone();
    missing.storages.last_mut().unwrap().count += 1;
    assert_says(
        &sentence(Checkpoint::from_bytes("model", &missing.zip())),
        &["bytes, expected", "elements of 4"],
    );
    assert_says(&sentence(Checkpoint::from_bytes("model", &missing.legacy())), &["cut short"]);
    let mut beyond = model.clone();
    beyond.tensors[3].offset = 1;
    let said = sentence(Checkpoint::from_bytes("model", &beyond.zip()));
    assert_says(&said, &[&beyond.tensors[3].name, "does not fit its storage"]);
}

#[test]
fn a_flipped_byte_in_a_zip_names_the_entry() {
    let model = Model::new(&entries(&variables(&network()), PIERGIAJ, false), Style::Python3);
    let mut file = model.zip();
    let key = &model.storages[9].key;
    let needle = &model.storages[9].bytes;
    let at = file.windows(needle.len()).position(|w| w == needle).unwrap();
    file[at] ^= 1;
    assert_says(
        &sentence(Checkpoint::from_bytes("model", &file)),
        &[&format!("data/{key}"), "damaged", "download"],
    );
}

#[test]
fn claims_of_enormous_sizes_are_refused_before_memory_is_taken() {
    // An expanded tensor: ten thousand million values over one.
    let one = Tensor { shape: vec![1], data: vec![1.0] };
    let mut model = Model::new(&[("logits.conv3d.bias".into(), one)], Style::Python3);
    model.tensors[0].shape = vec![100_000, 100_000];
    model.tensors[0].strides = vec![0, 0];
    let said = sentence(Checkpoint::from_bytes("model", &model.zip()));
    assert_says(&said, &["logits.conv3d.bias", "more than the file can hold"]);
    // A storage of two thousand million elements.
    model.storages[0].count = i32::MAX as usize;
    assert_says(&sentence(Checkpoint::from_bytes("model", &model.legacy())), &["cut short"]);
    // A zip entry of 4 GB in a file of a few hundred bytes.
    let mut file = zip(&[("m/data.pkl".into(), b"\x80\x02}.".to_vec())]);
    let directory = file.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    file[directory + 20..directory + 28].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff]);
    assert_says(&sentence(Checkpoint::from_bytes("model", &file)), &["damaged"]);
    // A pickle that only pushes.
    let many = zip(&[("m/data.pkl".into(), vec![b'N'; 3_000_000])]);
    assert_says(&sentence(Checkpoint::from_bytes("model", &many)), &["more than 1000000 values"]);
}

#[test]
fn a_pickle_that_contains_itself_is_harmless() {
    // A list appended to itself, deeply nested tuples: values refer to each other by number.
    let itself = zip(&[("m/data.pkl".into(), b"\x80\x02]q\x00h\x00a.".to_vec())]);
    assert_says(&sentence(Checkpoint::from_bytes("model", &itself)), &["a list"]);
    let mut nested = b"\x80\x02)".to_vec();
    nested.resize(500_000, 0x85);
    nested.push(b'.');
    let nested = zip(&[("m/data.pkl".into(), nested)]);
    assert_says(&sentence(Checkpoint::from_bytes("model", &nested)), &["a tuple"]);
}
