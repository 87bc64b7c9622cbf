//! Which variants of the kernels an adapter gets: the one table, unless [`super::tune`] measured better ones.

use serde::{Deserialize, Serialize};

use super::manifest::{GEMM_TILES, HEAD, Variant};
use super::{Adapter, AdapterKind};
use crate::plan::Precision;

/// Families of adapters that want the same variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A program that plays GPU on the CPU.
    Software,
    /// NVIDIA's graphics cards.
    Nvidia,
    /// AMD's graphics cards.
    Amd,
    /// Intel's graphics.
    Intel,
    /// Apple's graphics.
    Apple,
    /// Everything else: phones, and browsers, which do not say.
    Other,
}

/// How matrix products run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Products {
    /// `gemm_uniform.wgsl`.
    Uniform,
    /// That one of the tiles of `gemm.wgsl`, an index into [`GEMM_TILES`].
    Tiled(usize),
}

/// The choices for one class, or for one adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variants {
    /// Matrix products.
    pub products: Products,
    /// Most MiB of Winograd's transformed inputs, and of its products, at a time.
    pub chunk_mib: usize,
    /// Tiles of a row that one invocation of `wino_pool.wgsl` walks along: long walks compute less twice, short ones occupy
    /// more of a GPU.
    pub walk: usize,
    /// Outputs of a row that one invocation of `max_pool3d.wgsl` walks along, likewise.
    pub pool_walk: usize,
    /// Which variant of `head.wgsl`.
    pub head: usize,
}

/// Sizes of Winograd's chunks that are worth trying: what the caches of small and of large GPUs hold, and what makes few
/// launches. Layers of which a frame does not fit run the direct way, so the largest decides.
const CHUNKS_MIB: [usize; 3] = [8, 24, 64];

/// Lengths of walks that are worth trying: none, a few steps, the whole row.
const WALKS: [usize; 3] = [1, 4, usize::MAX];

/// Most bytes of a chunk.
pub(super) const LARGEST_CHUNK: usize = CHUNKS_MIB[CHUNKS_MIB.len() - 1] << 20;

/// PCI vendor numbers, as drivers report them.
const NVIDIA: u32 = 0x10de;
const AMD: u32 = 0x1002;
const INTEL: u32 = 0x8086;
const APPLE: u32 = 0x106b;

impl Class {
    /// The class of `adapter`, by kind, vendor number and, where that is missing, name.
    pub fn of(adapter: &Adapter) -> Class {
        Class::from(adapter.kind, adapter.vendor, &adapter.name)
    }

    fn from(kind: AdapterKind, vendor: u32, name: &str) -> Class {
        let name = name.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        // Browsers neither name the kind nor the vendor of a fallback adapter.
        if kind == AdapterKind::Software || has(&["llvmpipe", "swiftshader", "basic render"]) {
            return Class::Software;
        }
        match vendor {
            NVIDIA => Class::Nvidia,
            AMD => Class::Amd,
            INTEL => Class::Intel,
            APPLE => Class::Apple,
            _ if has(&["nvidia", "geforce"]) => Class::Nvidia,
            _ if has(&["radeon", "amd"]) => Class::Amd,
            _ if has(&["intel"]) => Class::Intel,
            _ if has(&["apple"]) => Class::Apple,
            _ => Class::Other,
        }
    }
}

impl Variants {
    /// How products run on tensors stored as `precision` says. In 16 bits there are tiles only: windows of uniform memory
    /// cannot hold such numbers, and what is added up over several dispatches would be rounded in between.
    pub fn products(&self, precision: Precision) -> Products {
        match (precision, self.products) {
            (Precision::F16, Products::Uniform) => Products::Tiled(0),
            (_, products) => products,
        }
    }

    /// Whether 1x1x1 convolutions run as products. Software adapters, on which tiles are slow, convolve directly where
    /// they cannot have their own form of the products.
    pub fn pointwise(&self, precision: Precision) -> bool {
        precision == Precision::F32 || self.products != Products::Uniform
    }

    /// The table. Tiles are rows x columns x channels of a step.
    ///
    /// The choice for software is measured on lavapipe. Those for hardware follow published sweeps (llama.cpp's pull request
    /// 22241 for the portable tile, ONNX Runtime's 32249 for NVIDIA and 26603 for Intel) and wait for measurements.
    pub fn of(class: Class) -> Variants {
        let [small, medium, wide, large, flat] = [0, 1, 2, 3, 4];
        let products = match class {
            Class::Software => Products::Uniform,
            // 32x32x8, 64 invocations of 4x4: the best on average where nothing is known.
            Class::Other => Products::Tiled(small),
            // 64x64x16, 128 invocations of 4x8.
            Class::Nvidia => Products::Tiled(wide),
            // 64x64x16, 256 invocations of 4x4.
            Class::Amd => Products::Tiled(medium),
            // 32x64x16, 64 invocations of 4x8.
            Class::Intel => Products::Tiled(flat),
            // 64x64x16, 64 invocations of 8x8.
            Class::Apple => Products::Tiled(large),
        };
        let [.., chunk_mib] = CHUNKS_MIB;
        // On lavapipe walks of 4 tiles cost 3 % more of the convolution and its pool than whole rows, which cost what two
        // launches do or a little less; max pools of 3x3x3 take half of what they take without walking. A GPU has far more
        // lanes than there are rows; its walks wait for measurements.
        let (walk, pool_walk) = if class == Class::Software { (usize::MAX, usize::MAX) } else { (4, 1) };
        let head = usize::from(class == Class::Software);
        Variants { products, chunk_mib, walk, pool_walk, head }
    }

    /// The same with the smallest chunks.
    pub(super) fn small(self) -> Variants {
        let [chunk_mib, ..] = CHUNKS_MIB;
        Variants { chunk_mib, ..self }
    }

    /// Whether the kernels have such variants; those that an older program stored may be gone.
    pub fn exist(&self) -> bool {
        let known = match self.products {
            Products::Uniform => true,
            Products::Tiled(tile) => tile < GEMM_TILES[0].len(),
        };
        let walks = WALKS.contains(&self.walk) && WALKS.contains(&self.pool_walk);
        known && walks && CHUNKS_MIB.contains(&self.chunk_mib) && self.head < HEAD.variants.len()
    }

    /// What may be better than these, in the order in which it is tried: kernels for products, sizes of chunks, walks, heads.
    pub(super) const ALTERNATIVES: [fn(&Variants) -> Vec<Variants>; 5] = [
        |own| {
            let tiles = (0..GEMM_TILES[0].len()).map(Products::Tiled);
            let all = std::iter::once(Products::Uniform).chain(tiles);
            own.others(all.map(|products| Variants { products, ..*own }))
        },
        |own| own.others(CHUNKS_MIB.map(|chunk_mib| Variants { chunk_mib, ..*own })),
        |own| own.others(WALKS.map(|walk| Variants { walk, ..*own })),
        |own| own.others(WALKS.map(|pool_walk| Variants { pool_walk, ..*own })),
        |own| own.others((0..HEAD.variants.len()).map(|head| Variants { head, ..*own })),
    ];

    fn others(&self, all: impl IntoIterator<Item = Variants>) -> Vec<Variants> {
        all.into_iter().filter(|other| other != self).collect()
    }
}

impl std::fmt::Display for Variants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.products {
            Products::Uniform => f.write_str("products from uniform windows")?,
            Products::Tiled(tile) => match GEMM_TILES[0].get(tile) {
                Some(constants) => write!(f, "products in tiles of {}", tile_name(constants))?,
                None => write!(f, "products in tile {tile}")?,
            },
        }
        let walk = |steps: usize| match steps {
            usize::MAX => "whole rows".to_string(),
            steps => steps.to_string(),
        };
        let [walks, pools] = [walk(self.walk), walk(self.pool_walk)];
        write!(f, "; chunks of {} MiB, walks of {walks} and {pools}, head {}", self.chunk_mib, self.head)
    }
}

/// Rows x columns x channels of a step, then those of an invocation.
fn tile_name(constants: Variant) -> String {
    let value = |name| constants.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, value)| *value);
    // The shader counts columns and channels of a step in fours; an invocation computes 4x4 times TALL x WIDE.
    let [rows, columns, depth] = [value("ROWS"), 4.0 * value("COLUMNS"), 4.0 * value("DEPTH")];
    format!("{rows}x{columns}x{depth}, {}x{} each", 4.0 * value("TALL"), 4.0 * value("WIDE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_kind_then_vendor_then_name() {
        let class = |kind, vendor, name| Class::from(kind, vendor, name);
        assert_eq!(class(AdapterKind::Software, 0x10005, "llvmpipe (LLVM 15)"), Class::Software);
        assert_eq!(class(AdapterKind::Other, 0, "SwiftShader Device"), Class::Software);
        assert_eq!(class(AdapterKind::Discrete, NVIDIA, "H100"), Class::Nvidia);
        assert_eq!(class(AdapterKind::Integrated, 0, "AMD Radeon 780M"), Class::Amd);
        assert_eq!(class(AdapterKind::Integrated, INTEL, ""), Class::Intel);
        assert_eq!(class(AdapterKind::Integrated, 0, "Apple M2"), Class::Apple);
        assert_eq!(class(AdapterKind::Integrated, 0x5143, "Adreno"), Class::Other);
    }
}
