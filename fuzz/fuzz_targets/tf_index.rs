//! TensorFlow's V2 checkpoint: an index (any, or a sound table around any records) and a data file.
#![no_main]

use i3d::weights::Checkpoint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let (index, shard) = rest.split_at(rest.len() / 2);
    let table;
    let index = match kind {
        0 => {
            table = i3d_fuzz::table_around(index);
            &table
        }
        _ => index,
    };
    i3d_fuzz::outcome(Checkpoint::from_tensorflow("fuzz", index, &[shard]));
});
