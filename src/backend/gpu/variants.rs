//! Which variants of the kernels an adapter gets: the one table.

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
        Variants { products }
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
