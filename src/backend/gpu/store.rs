//! What a host remembers of an adapter from one process to the next.

use std::sync::Arc;

use super::{Adapter, Variants};

/// Where a host keeps what was found out about an adapter. Everything in it can be found out again, so a store that
/// lost something says nothing, and one that cannot keep something keeps quiet.
pub trait DeviceStore: Send + Sync {
    /// The variants that [`tune`](super::tune) chose for the adapter with its present driver.
    fn variants(&self, adapter: &Adapter) -> Option<Variants>;

    /// The bytes that [`DeviceStore::keep_pipelines`] was last given for the adapter with its present driver; only those,
    /// since drivers trust them.
    fn pipelines(&self, adapter: &Adapter) -> Option<Vec<u8>>;

    /// Keeps compiled pipelines.
    fn keep_pipelines(&self, adapter: &Adapter, bytes: &[u8]);
}

/// The driver's compiled pipelines, and where they are kept when the device goes.
pub(super) struct Kept {
    pub cache: wgpu::PipelineCache,
    before: Option<Vec<u8>>,
    store: Arc<dyn DeviceStore>,
    adapter: Adapter,
}

impl Kept {
    /// None where the backend cannot hand out what it compiled, or the host keeps nothing.
    pub fn open(
        device: &wgpu::Device,
        adapter: &Adapter,
        store: Option<Arc<dyn DeviceStore>>,
    ) -> Option<Kept> {
        let store = store.filter(|_| device.features().contains(wgpu::Features::PIPELINE_CACHE))?;
        let before = store.pipelines(adapter);
        let descriptor =
            wgpu::PipelineCacheDescriptor { label: Some("i3d"), data: before.as_deref(), fallback: true };
        // SAFETY: the store gives back what `get_data` gave it, byte for byte, for this adapter and driver; that is its
        // contract. wgpu looks at the adapter and driver in the header as well, and begins anew where they are others.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Kept { cache, before, store, adapter: adapter.clone() })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(now) = self.cache.get_data().filter(|now| self.before.as_ref() != Some(now)) {
            self.store.keep_pipelines(&self.adapter, &now);
        }
    }
}
