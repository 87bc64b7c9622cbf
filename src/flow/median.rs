//! The 5x5 median filter, many pixels at a time: a fixed network of minima and maxima without branches.

/// Puts the smaller of two values first. Written with a comparison because `f32::min` must do more for NaN.
macro_rules! exchange {
    ($v:ident; $($a:literal $b:literal),*) => {$(
        ($v[$a], $v[$b]) = if $v[$b] < $v[$a] { ($v[$b], $v[$a]) } else { ($v[$a], $v[$b]) };
    )*};
}

/// Sorts a column of five, smallest first.
#[inline(always)]
fn sort5(mut v: [f32; 5]) -> [f32; 5] {
    exchange!(v; 0 3, 1 4, 0 2, 1 3, 0 1, 2 4, 1 2, 3 4, 2 3);
    v
}

/// The median of a window whose columns are sorted: value `5 * rank + column`.
///
/// Once the rows were sorted as well, a value would have at least `(i + 1)(j + 1) - 1` values below and
/// `(5 - i)(5 - j) - 1` above it; that rules out all but thirteen places. The first block of exchanges moves those
/// there, row by row, and the rest drops the smallest and the largest of eight, then of seven, and so on.
#[inline(always)]
fn median_of_columns(mut v: [f32; 25]) -> f32 {
    exchange!(v;
        0 4, 1 4, 2 4, 3 4, 0 3, 1 3, 2 3, 5 6, 5 7, 5 8, 5 9, 6 7, 6 8, 6 9, 10 14, 11 13, 10 11, 10 12, 12 14,
        13 14, 15 19, 16 19, 17 19, 18 19, 15 18, 16 18, 17 18, 20 21, 20 22, 20 23, 20 24, 21 22, 21 23, 21 24);
    exchange!(v;
        3 13, 4 12, 7 11, 8 9, 3 4, 3 7, 3 8, 9 13, 11 13, 12 13, 4 15, 7 12, 8 11, 4 7, 4 8, 4 9, 9 15, 11 15, 12 15,
        7 16, 8 12, 9 11, 7 8, 7 9, 11 16, 12 16, 8 17, 9 12, 8 9, 8 11, 11 17, 12 17, 9 20, 11 12, 9 11, 12 20,
        11 21, 11 12, 12 21);
    v[12]
}

/// One row of the filtered plane.
///
/// # Shapes
/// `rows` five rows `[width + 4]` around it; `columns` five rows of scratch of that length; `output` `[width]`.
#[inline(always)]
pub(super) fn median_row(rows: [&[f32]; 5], columns: &mut [f32], output: &mut [f32]) {
    let width = output.len();
    let length = width + 4;
    let (c0, rest) = columns.split_at_mut(length);
    let (c1, rest) = rest.split_at_mut(length);
    let (c2, rest) = rest.split_at_mut(length);
    let (c3, rest) = rest.split_at_mut(length);
    let c4 = &mut rest[..length];
    sort_columns(rows.map(|row| &row[..length]), c0, c1, c2, c3, c4);
    select(c0, c1, c2, c3, c4, output);
}

#[inline(always)]
fn sort_columns(
    rows: [&[f32]; 5],
    c0: &mut [f32],
    c1: &mut [f32],
    c2: &mut [f32],
    c3: &mut [f32],
    c4: &mut [f32],
) {
    let length = c0.len();
    let [r0, r1, r2, r3, r4] = rows.map(|row| &row[..length]);
    let (c1, c2, c3, c4) = (&mut c1[..length], &mut c2[..length], &mut c3[..length], &mut c4[..length]);
    for x in 0..length {
        [c0[x], c1[x], c2[x], c3[x], c4[x]] = sort5([r0[x], r1[x], r2[x], r3[x], r4[x]]);
    }
}

#[inline(always)]
fn select(c0: &[f32], c1: &[f32], c2: &[f32], c3: &[f32], c4: &[f32], output: &mut [f32]) {
    let width = output.len();
    let length = width + 4;
    let (c0, c1, c2) = (&c0[..length], &c1[..length], &c2[..length]);
    let (c3, c4) = (&c3[..length], &c4[..length]);
    for x in 0..width {
        output[x] = median_of_columns([
            c0[x],
            c0[x + 1],
            c0[x + 2],
            c0[x + 3],
            c0[x + 4],
            c1[x],
            c1[x + 1],
            c1[x + 2],
            c1[x + 3],
            c1[x + 4],
            c2[x],
            c2[x + 1],
            c2[x + 2],
            c2[x + 3],
            c2[x + 4],
            c3[x],
            c3[x + 1],
            c3[x + 2],
            c3[x + 3],
            c3[x + 4],
            c4[x],
            c4[x + 1],
            c4[x + 2],
            c4[x + 3],
            c4[x + 4],
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_finds_the_median() {
        let mut seed = 1u32;
        let mut next = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Few different values, so that ties are common.
            (seed >> 28) as f32
        };
        for _ in 0..200 {
            let rows: Vec<Vec<f32>> = (0..5).map(|_| (0..13).map(|_| next()).collect()).collect();
            let mut output = [0.0; 9];
            median_row([0, 1, 2, 3, 4].map(|r| rows[r].as_slice()), &mut [0.0; 65], &mut output);
            for (x, &got) in output.iter().enumerate() {
                let mut window: Vec<f32> = rows.iter().flat_map(|row| row[x..x + 5].to_vec()).collect();
                window.sort_by(f32::total_cmp);
                assert_eq!(got, window[12]);
            }
        }
    }
}
