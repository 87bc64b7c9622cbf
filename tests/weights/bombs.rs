//! Small files that ask for much: of memory, of time, or of what a message may show. `native/tests/cli/limits.rs` runs such
//! files with little memory.

use i3d::weights::Checkpoint;

use super::pickle::zip;
use super::tf_writer::{Options, masked, table};
use super::{assert_says, sentence};

/// As long as any message may be.
const MESSAGE: usize = 1200;

#[track_caller]
fn said(bytes: &[u8]) -> String {
    let result = Checkpoint::from_bytes("model", bytes).and_then(|checkpoint| checkpoint.network());
    let said = sentence(result);
    assert!(said.len() < MESSAGE, "{} bytes: {said:.200}", said.len());
    said
}

fn pickled(pickle: &[u8]) -> Vec<u8> {
    zip(&[("m/data.pkl".into(), pickle.to_vec())])
}

fn text(length: usize) -> Vec<u8> {
    [b"X", &(length as u32).to_le_bytes()[..], &vec![b'n'; length]].concat()
}

#[test]
fn a_long_text_that_is_used_again_and_again_is_not_copied() {
    let tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(h\x01K\0)))}tR";
    let storage = |key: &[u8]| {
        [b"(X\x07\0\0\0storagectorch\nFloatStorage\n", key, b"X\x03\0\0\0cpuK\x01tQq\x01"].concat()
    };
    // As a key of storages.
    let keys = [b"\x80\x02", &text(1 << 20)[..], b"q\0", &storage(b"h\0")[..], b"."].concat();
    assert_says(&said(&pickled(&keys)), &["key of 1048576 bytes"]);
    // As the name of values, of dictionaries and of tensors.
    let head = [b"\x80\x02", &storage(b"X\x01\0\0\x000")[..], &text(1000)[..], b"q\0}q\x02("].concat();
    for value in [&b"h\0N"[..], b"h\0}", &[b"h\0", &tensor[..]].concat()] {
        let many = [&head[..], &value.repeat(90_000), b"u."].concat();
        said(&pickled(&many));
    }
    let long = [&head[..], &text(5000), &tensor[..], b"u."].concat();
    assert_says(&said(&pickled(&long)), &["tensor name of more than 1024 bytes"]);
    // A list of pairs, made a dictionary again and again.
    let pairs = b"]K\x01aK\x02a".repeat(1000);
    let calls = b"ccollections\nOrderedDict\nh\0\x85R".repeat(20_000);
    let lists = [&b"\x80\x02]("[..], &pairs, b"eq\0", &calls, b"."].concat();
    assert_says(&said(&pickled(&lists)), &["more than 1000000 values"]);
}

#[test]
fn containers_in_containers_are_visited_once() {
    // Thirty dictionaries, each of which holds the next twice: a thousand million ways.
    let mut pickle = b"\x80\x02}q\0".to_vec();
    for level in 0..30u8 {
        pickle.extend([b'}', b'q', level + 1, b'(', b'K', 1, b'h', level, b'K', 2, b'h', level, b'u']);
    }
    pickle.push(b'.');
    assert_says(&said(&pickled(&pickle)), &["without tensors"]);
    for code in *b"](" {
        let deep = [
            b"\x80\x02",
            &vec![code; 400_000][..],
            &vec![if code == b'(' { b't' } else { b'a' }; 399_999][..],
            b".",
        ]
        .concat();
        said(&pickled(&deep));
    }
}

#[test]
fn a_block_of_an_index_is_read_once() {
    // Every entry of the index block is the handle of the same large block without records.
    let restarts = 1 << 18;
    let mut data = vec![0; 4 * restarts];
    data.extend((restarts as u32).to_le_bytes());
    let handle = [vec![0], varint(data.len() as u64)].concat();
    let mut file = block(&data);
    let mut index = Vec::new();
    for i in 0..100_000 {
        let key = format!("{i:08}");
        index.extend([0, key.len() as u8, handle.len() as u8]);
        index.extend(key.bytes());
        index.extend(&handle);
    }
    index.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    let at = file.len();
    file.extend(block(&index));
    let mut footer = [vec![0, 0], varint(at as u64), varint(index.len() as u64)].concat();
    footer.resize(40, 0);
    file.extend(footer);
    file.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    assert_says(&said(&file), &["blocks are not in order"]);
    assert_says(&sentence(Checkpoint::from_tensorflow("model", &file, &[&[]])), &["blocks are not in order"]);
    // A sound table with several blocks is in order.
    let records: Vec<(String, Vec<u8>)> = (0..9).map(|i| (format!("{i}"), vec![8, 1])).collect();
    let sound = table(&records, Options { block: 2, ..Options::default() });
    assert_says(&sentence(Checkpoint::from_tensorflow("model", &sound, &[&[]])), &["not the header"]);
}

/// Contents without compression, and their checksum.
fn block(contents: &[u8]) -> Vec<u8> {
    let stored = [contents, &[0]].concat();
    let crc = masked(&stored);
    [stored, crc.to_le_bytes().to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

#[test]
fn headers_of_safetensors_are_bounded_and_messages_short() {
    let file = |header: &str, data: &[u8]| {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    };
    let tensor = |name: &str| format!(r#""{name}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#);
    let many = |count: usize| {
        let tensors: Vec<String> = (0..count).map(|i| tensor(&format!("t{i}"))).collect();
        file(&format!("{{{}}}", tensors.join(",")), &[])
    };
    assert_says(&said(&many(200_000)), &["header of", "no I3D checkpoint"]);
    assert_says(&said(&many(50_000)), &["no I3D checkpoint of a known kind", "t0", "and so on"]);
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_says(&said(&file(&deep, &[])), &["damaged safetensors header"]);
    let labels = format!(r#"{{"__metadata__":{{"labels":"{}"}}}}"#, "[".repeat(5000));
    assert_says(&said(&file(&labels, &[])), &["metadata `labels`", "convert the original again"]);
    let long = "n".repeat(100_000);
    said(&file(&format!("{{{}}}", tensor(&long)), &[]));
    said(&file(&format!(r#"{{"{long}":{{"dtype":"I64","shape":[0],"data_offsets":[0,0]}}}}"#), &[]));
    said(&file(&format!(r#"{{"{long}":{{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}}}"#), &[]));
    said(&file(&format!(r#"{{"__metadata__":{{"architecture":"{long}"}}}}"#), &[]));
    said(&file(&format!(r#"{{"__metadata__":{{"stream":"{long}"}}}}"#), &[]));
}
