//! Opening a device with what earlier runs found out about it: `<cache>/i3d/devices/<adapter and driver>/`.
//!
//! `variants.json` is what `i3d bench --tune` measured, `pipelines.bin` what the driver compiled. A file that cannot be
//! read or does not fit counts as absent: the device then works as if it were new.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use i3d::backend::gpu::{Adapter, Class, DeviceStore, Variants};
use i3d::backend::{Device, DeviceRequest};
use i3d::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cache;
use crate::models::hash;
use crate::output::Output;

/// Opens the device that is asked for.
pub fn open(request: &DeviceRequest, threads: usize) -> Result<Device> {
    // Without a cache folder nothing is remembered, which is no reason to fail.
    let store = Store::open().ok().map(|store| Arc::new(store) as Arc<dyn DeviceStore>);
    pollster::block_on(Device::open_with(request, threads, store))
}

/// The kernel variants that run on an adapter, and whether they were measured there.
pub fn variants(adapter: &Adapter) -> (Variants, bool) {
    let tuned = Store::open().ok().and_then(|store| store.variants(adapter)).filter(Variants::exist);
    (tuned.unwrap_or_else(|| Variants::of(Class::of(adapter))), tuned.is_some())
}

/// What is known of the adapters of this machine.
pub struct Store(PathBuf);

/// What `variants.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct Tuned {
    adapter: String,
    driver: String,
    /// Of the program: another one may have other kernels.
    version: String,
    variants: Variants,
}

impl Store {
    /// The store in the cache folder.
    pub fn open() -> Result<Store> {
        Ok(Store(cache::folder()?.join("devices")))
    }

    /// Keeps the variants that are fastest on `adapter`; gives the file.
    pub fn keep_variants(&self, adapter: &Adapter, variants: Variants) -> Result<PathBuf> {
        let version = env!("CARGO_PKG_VERSION").to_string();
        let Adapter { name, driver, .. } = adapter.clone();
        let tuned = Tuned { adapter: name, driver, version, variants };
        let text = serde_json::to_vec_pretty(&tuned)
            .map_err(|e| Error::Usage(format!("the variants are no JSON: {e}")))?;
        self.write(adapter, VARIANTS, &text)
    }

    fn write(&self, adapter: &Adapter, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path(adapter, name);
        let folder = self.folder(adapter);
        fs::create_dir_all(&folder).map_err(|e| Error::io(folder.display(), e))?;
        Output::create(&path)?.finish(bytes)?;
        Ok(path)
    }

    fn path(&self, adapter: &Adapter, name: &str) -> PathBuf {
        self.folder(adapter).join(name)
    }

    /// One folder per adapter, backend and driver: readable as far as names go, unique by a hash.
    fn folder(&self, adapter: &Adapter) -> PathBuf {
        let all = format!("{} {} {}", adapter.backend, adapter.name, adapter.driver);
        let words = adapter.name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let name: String = words.collect::<Vec<_>>().join("-").to_lowercase().chars().take(40).collect();
        let hash = &hash::sha256_bytes(all.as_bytes())[..8];
        self.0.join(format!("{name}-{hash}"))
    }
}

const VARIANTS: &str = "variants.json";
const PIPELINES: &str = "pipelines.bin";
/// Bytes of the fingerprint before the pipelines.
const FINGERPRINT: usize = 32;

impl DeviceStore for Store {
    fn variants(&self, adapter: &Adapter) -> Option<Variants> {
        let path = self.path(adapter, VARIANTS);
        let text = fs::read(&path).ok()?;
        match serde_json::from_slice::<Tuned>(&text) {
            Ok(tuned) if tuned.version == env!("CARGO_PKG_VERSION") => Some(tuned.variants),
            Ok(_) => None,
            Err(error) => {
                let path = path.display();
                log::warn!("{path} is no longer understood ({error}); measure again with `i3d bench --tune`");
                None
            }
        }
    }

    fn pipelines(&self, adapter: &Adapter) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path(adapter, PIPELINES)).ok()?;
        let (fingerprint, pipelines) = bytes.split_at_checked(FINGERPRINT)?;
        // A driver trusts what it is given, so a damaged file must not reach it.
        (Sha256::digest(pipelines)[..] == *fingerprint).then(|| pipelines.to_vec())
    }

    fn keep_pipelines(&self, adapter: &Adapter, bytes: &[u8]) {
        let whole = [&Sha256::digest(bytes)[..], bytes].concat();
        if let Err(error) = self.write(adapter, PIPELINES, &whole) {
            log::debug!("compiled kernels are not kept: {error}");
        }
    }
}
