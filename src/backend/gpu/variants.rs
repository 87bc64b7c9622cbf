//! Which variants of the kernels an adapter gets: the one table.

use super::{Adapter, AdapterKind};

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
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Products {
    /// `gemm_uniform.wgsl`.
    Uniform,
    /// That one of the tiles of `gemm.wgsl`, an index into [`super::manifest::GEMM_TILES`].
    Tiled(usize),
}

/// The choices for one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variants {
    /// Matrix products.
    pub products: Products,
    /// Tiles of a row that one invocation of `wino_pool.wgsl` walks along: long walks compute less twice, short ones occupy
    /// more of a GPU.
    pub walk: usize,
    /// Outputs of a row that one invocation of `max_pool3d.wgsl` walks along, likewise.
    pub pool_walk: usize,
    /// Which variant of `head.wgsl`.
    pub head: usize,
}

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
        // Lavapipe takes 2 to 3 % less for a convolution and its pool that walk along whole rows than for two launches, with
        // walks of 4 as much more; for max pools of 3x3x3 half of what it takes without walking. A GPU has far more lanes
        // than there are rows.
        let (walk, pool_walk) = if class == Class::Software { (usize::MAX, usize::MAX) } else { (4, 1) };
        let head = usize::from(class == Class::Software);
        Variants { products, walk, pool_walk, head }
    }
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
