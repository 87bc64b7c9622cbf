//! Where each activation lives: a few physical arenas in which buffers with disjoint lifetimes overlap.

use super::{Buffer, BufferId, Kernel, Step};

/// Offsets are multiples of this: WebGPU's default `min_storage_buffer_offset_alignment`.
pub const ALIGNMENT: u64 = 256;

/// Lets every buffer live one step longer: where two steps run as one, the second writes while the first still reads.
pub(super) fn outlive(steps: &[Step], buffers: &mut [Buffer]) {
    for b in buffers.iter_mut() {
        b.last = (b.last + 1).min(steps.len() - 1);
    }
}

/// Gives every buffer an arena and an offset.
///
/// Buffers that one step, or one [`Group`](super::Group) of steps, reads and writes get different arenas; three are enough for a chain of Inception modules
/// (module input, module output, branch intermediates). Within an arena, buffers whose lifetimes overlap do not.
pub(super) fn assign(steps: &[Step], buffers: &mut [Buffer]) {
    for id in 0..buffers.len() {
        let taken = neighbours(steps, id).filter(|&other| other < id).map(|other| buffers[other].arena);
        let taken: Vec<usize> = taken.collect();
        let (done, rest) = buffers.split_at_mut(id);
        let sizes = sizes(done);
        // Grow the arenas as little as possible; among equals take the first.
        let candidates = (0..sizes.len() + 1).filter(|arena| !taken.contains(arena)).map(|arena| {
            let offset = first_fit(done, arena, &rest[0]);
            let end = offset + rest[0].stored_bytes();
            let growth = end.saturating_sub(sizes.get(arena).copied().unwrap_or(0));
            // A fresh arena costs a physical buffer, so it must not win a tie.
            (growth, usize::from(arena >= 3.min(sizes.len())), arena, offset)
        });
        if let Some((_, _, arena, offset)) = candidates.min() {
            (rest[0].arena, rest[0].offset) = (arena, offset);
        }
    }
}

/// Bytes of each arena.
pub(super) fn sizes(buffers: &[Buffer]) -> Vec<u64> {
    let count = buffers.iter().map(|b| b.arena + 1).max().unwrap_or(0);
    let mut sizes = vec![0; count];
    for b in buffers {
        let end = (b.offset + b.stored_bytes()).next_multiple_of(ALIGNMENT);
        sizes[b.arena] = sizes[b.arena].max(end);
    }
    sizes
}

/// Buffers that some step, or several steps that may run as one, bind together with `id`, one for reading and the other for
/// writing.
fn neighbours(steps: &[Step], id: BufferId) -> impl Iterator<Item = BufferId> {
    let single = steps.iter().map(|s| (s.input, s.output));
    let mean = |step: &Step| matches!(step.kernel, Kernel::TimeMean(_));
    let pairs = steps.windows(2).filter(move |pair| pair[0].output == pair[1].input && !mean(&pair[1]));
    let heads = steps.windows(3).filter(move |head| mean(&head[2]));
    let all = single
        .chain(pairs.map(|pair| (pair[0].input, pair[1].output)))
        .chain(heads.map(|head| (head[0].input, head[2].output)));
    all.filter_map(move |(input, output)| match (input == id, output == id) {
        (true, false) => Some(output),
        (false, true) => Some(input),
        _ => None,
    })
}

/// The lowest offset in `arena` at which `new` overlaps no buffer that is alive at the same time.
fn first_fit(placed: &[Buffer], arena: usize, new: &Buffer) -> u64 {
    let alive = |b: &&Buffer| b.arena == arena && b.first <= new.last && new.first <= b.last;
    let mut blocks: Vec<(u64, u64)> =
        placed.iter().filter(alive).map(|b| (b.offset, b.offset + b.stored_bytes())).collect();
    blocks.sort_unstable();
    let mut offset = 0;
    for (start, end) in blocks {
        if offset + new.stored_bytes() <= start {
            break;
        }
        offset = offset.max(end.next_multiple_of(ALIGNMENT));
    }
    offset
}
