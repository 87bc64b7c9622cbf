//! Matrix products on the calling thread, and rows that several threads write.

use std::marker::PhantomData;

/// A row-major matrix inside a slice: rows of values `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub data: &'a [f32],
    pub stride: usize,
}

/// Where a matrix product writes, and whether it adds to what is there.
pub(super) struct Product<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
    pub add: bool,
}

/// `output[m, n] = lhs[m, k] x rhs[k, n]`, or `+=`.
pub(super) fn multiply(lhs: Matrix<'_>, rhs: Matrix<'_>, [m, n, k]: [usize; 3], output: Product<'_>) {
    assert!(lhs.data.len() >= last(m, lhs.stride, k));
    // SAFETY: the assertion keeps every index `row * stride + column` inside `lhs`.
    unsafe { product(lhs.data, [lhs.stride, 1], rhs, [m, n, k], output) };
}

/// `output[m, n] = lhs[k, m] turned x rhs[k, n]`, or `+=`.
pub(super) fn multiply_transposed(
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    [m, n, k]: [usize; 3],
    output: Product<'_>,
) {
    assert!(lhs.data.len() >= last(k, lhs.stride, m));
    // SAFETY: the assertion keeps every index `column * stride + row` inside `lhs`.
    unsafe { product(lhs.data, [1, lhs.stride], rhs, [m, n, k], output) };
}

/// Values up to the last of a matrix.
fn last(rows: usize, stride: usize, columns: usize) -> usize {
    (rows - 1) * stride + columns
}

/// The product of a matrix whose element `[i, j]` is `lhs[i * rows + j * columns]`.
///
/// # Safety
/// Those elements must lie inside `lhs`.
unsafe fn product(
    lhs: &[f32],
    [rows, columns]: [usize; 2],
    rhs: Matrix<'_>,
    [m, n, k]: [usize; 3],
    output: Product<'_>,
) {
    assert!(rhs.data.len() >= last(k, rhs.stride, n) && output.data.len() >= last(m, output.stride, n));
    // SAFETY: the assertion above and the caller's promise keep every index inside its slice, and `output` is borrowed
    // mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            output.data.as_mut_ptr(),
            1,
            output.stride as isize,
            output.add,
            lhs.as_ptr(),
            columns as isize,
            rows as isize,
            rhs.data.as_ptr(),
            1,
            rhs.stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// A tensor `[positions, stride]` that several threads write, each its own positions or channels.
pub(super) struct SharedRows<'a> {
    data: *mut f32,
    len: usize,
    stride: usize,
    memory: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer is that of a mutable borrow that lasts as long as this; the callers of `rows` promise that no two
// threads use the same value.
unsafe impl Sync for SharedRows<'_> {}

impl<'a> SharedRows<'a> {
    pub fn new(data: &'a mut [f32], stride: usize) -> SharedRows<'a> {
        SharedRows { len: data.len(), data: data.as_mut_ptr(), stride, memory: PhantomData }
    }

    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The values from channel `offset` of position `first` to channel `offset + channels` of the last of `count`
    /// positions.
    ///
    /// # Safety
    /// The ranges that are in use at one time must not overlap.
    #[expect(clippy::mut_from_ref, reason = "disjoint by the contract")]
    pub unsafe fn rows(&self, first: usize, count: usize, offset: usize, channels: usize) -> &mut [f32] {
        let start = first * self.stride + offset;
        let len = (count - 1) * self.stride + channels;
        assert!(start + len <= self.len);
        // SAFETY: inside the borrowed slice by the assertion; disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(start), len) }
    }
}
