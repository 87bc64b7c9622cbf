//! Shaders without a GPU: the folder and the manifest agree, every variant is valid where the weakest WebGPU device is,
//! translates for Vulkan, Metal and DX12, and has the parameter layout that Rust has.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;

use i3d::backend::gpu::manifest::{self, Kernel};
use i3d::plan::Precision;
use naga::back::{hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, TypeInner};

/// Parsed and validated with nothing that a browser lacks, but for 16-bit floats where tensors are stored so.
fn parse(kernel: &Kernel, precision: Precision) -> Result<(Module, ModuleInfo), String> {
    let capabilities = match precision {
        Precision::F32 => Capabilities::default(),
        Precision::F16 => Capabilities::default() | Capabilities::SHADER_FLOAT16,
    };
    let source = kernel.wgsl(precision);
    let mut options = naga::front::wgsl::Options::new();
    options.capabilities = capabilities;
    let module = naga::front::wgsl::Frontend::new_with_options(options)
        .parse(&source)
        .map_err(|e| e.emit_to_string_with_path(&source, kernel.file))?;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|e| e.emit_to_string_with_path(&source, kernel.file))?;
    Ok((module, info))
}

/// Every kernel, for every way in which its tensors can be stored.
fn forms() -> impl Iterator<Item = (&'static Kernel, Precision)> {
    manifest::ALL.iter().flat_map(|&kernel| kernel.precisions().iter().map(move |&p| (kernel, p)))
}

fn each_variant(check: impl Fn(&Kernel, &Module, &ModuleInfo) -> Result<(), String>) {
    let mut failures = Vec::new();
    for (kernel, precision) in forms() {
        match parse(kernel, precision) {
            Err(e) => failures.push(e),
            Ok((module, info)) => {
                for &variant in kernel.variants {
                    let constants = variant.iter().map(|&(k, v)| (k.to_string(), v)).collect();
                    let outcome = process_overrides(&module, &info, None, &constants)
                        .map_err(|e| e.to_string())
                        .and_then(|(module, info)| check(kernel, &module, &info));
                    failures.extend(
                        outcome.err().map(|e| format!("{} {precision} {variant:?}: {e}", kernel.file)),
                    );
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_folder_and_the_manifest_agree() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".wgsl"))
        .collect();
    let listed: Vec<String> = manifest::ALL.iter().map(|k| k.file.to_string()).collect();
    let set: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(set.len(), listed.len(), "a shader is listed twice");
    assert_eq!(files, set);
    assert!(manifest::ALL.iter().all(|k| !k.caller.is_empty() && !k.variants.is_empty()));
}

#[test]
fn translates_to_spirv() {
    each_variant(|_, module, info| {
        let options =
            spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: "main".into() };
        let words = spv::write_vec(module, info, &spv::Options::default(), Some(&options))
            .map_err(|e| e.to_string())?;
        (words.len() > 100).then_some(()).ok_or_else(|| "no code came out".into())
    });
}

#[test]
fn translates_to_msl() {
    each_variant(|_, module, info| {
        let options = msl::Options { fake_missing_bindings: true, ..msl::Options::default() };
        let (text, _) = msl::write_string(module, info, &options, &msl::PipelineOptions::default())
            .map_err(|e| e.to_string())?;
        text.contains("kernel void").then_some(()).ok_or_else(|| "no kernel came out".into())
    });
}

#[test]
fn translates_to_hlsl() {
    each_variant(|_, module, info| {
        let mut text = String::new();
        let options = hlsl::Options::default();
        hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default())
            .write(module, info, None)
            .map_err(|e| e.to_string())?;
        text.contains("numthreads").then_some(()).ok_or_else(|| "no kernel came out".into())
    });
}

#[test]
fn parameter_structs_match_field_for_field() {
    for (kernel, precision) in forms() {
        let (module, _) = parse(kernel, precision).expect("valid");
        let found = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("Params"));
        let Some((_, naga::Type { inner: TypeInner::Struct { members, span }, .. })) = found else {
            panic!("{} has no struct Params", kernel.file)
        };
        let fields: Vec<(&str, usize)> =
            members.iter().map(|m| (m.name.as_deref().unwrap_or(""), m.offset as usize)).collect();
        assert_eq!(fields, kernel.params.fields, "{} against {}", kernel.file, kernel.params.name);
        assert_eq!(*span as usize, kernel.params.size, "{} against {}", kernel.file, kernel.params.name);
    }
}

#[test]
fn bindings_are_those_of_the_manifest() {
    for (kernel, precision) in forms() {
        let (module, _) = parse(kernel, precision).expect("valid");
        let mut bindings: Vec<(u32, String, bool, bool)> = module
            .global_variables
            .iter()
            .filter_map(|(_, v)| {
                let writes = matches!(v.space, naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE));
                v.binding.map(|b| (b.binding, v.name.clone().unwrap_or_default(), writes, is_f16(&module, v.ty)))
            })
            .collect();
        bindings.sort();
        let reads = kernel.reads.iter().map(|(name, _)| (name.to_string(), false));
        let all = std::iter::once(("p".to_string(), false))
            .chain(reads)
            .chain(kernel.writes.iter().map(|(name, _)| (name.to_string(), true)));
        let stored = |name: &str| precision == Precision::F16 && kernel.stored.contains(&name);
        let want: Vec<(u32, String, bool, bool)> =
            all.enumerate().map(|(i, (n, w))| (i as u32, n.clone(), w, stored(&n))).collect();
        assert_eq!(bindings, want, "{}", kernel.file);
    }
}

/// Whether a type is an array of vectors of 16-bit floats.
fn is_f16(module: &Module, ty: naga::Handle<naga::Type>) -> bool {
    let TypeInner::Array { base, .. } = module.types[ty].inner else { return false };
    matches!(module.types[base].inner, TypeInner::Vector { scalar: naga::Scalar::F16, .. })
}

#[test]
fn a_capability_that_browsers_lack_is_refused() {
    let kernel = Kernel {
        source: "@compute @workgroup_size(1) fn main() { var x = 1.0lf; _ = x; }",
        ..manifest::CONV3D
    };
    assert!(parse(&kernel, Precision::F32).is_err(), "f64 passed the baseline");
}
