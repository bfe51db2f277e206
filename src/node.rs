//! The node: hears that a `GC:<batchId>` table was deleted, and has the local store drop the batch's region.

use std::sync::Arc;

use dashmap::DashMap;
use hashbrown::DefaultHashBuilder;

use crate::gcs::Gcs;
use crate::id::BatchId;
use crate::store::{Region, Store};

/// What this node holds of each batch.
#[derive(Default)]
pub struct Node {
    /// batch → its region on this node
    regions: DashMap<BatchId, Arc<Region>, DefaultHashBuilder>,
}

impl Node {
    /// A node that drops regions of `store` as `gcs` deletes their tables.
    pub fn start(store: &Arc<Store>, gcs: &dyn Gcs) -> Arc<Node> {
        let node = Arc::new(Node::default());
        // weak: the control store may outlive the node
        let (listener, store) = (Arc::downgrade(&node), Arc::downgrade(store));
        gcs.subscribe(Arc::new(move |batch| {
            if let (Some(node), Some(store)) = (listener.upgrade(), store.upgrade())
                && let Some((_, region)) = node.regions.remove(&batch)
            {
                let dropped = store.drop_region(&region);
                log::debug!(
                    "batch {batch}: {} objects, {} bytes dropped, {} held still",
                    dropped.objects,
                    dropped.bytes,
                    dropped.deferred
                );
            }
        }));
        node
    }

    /// Makes a region known, to be dropped with its batch's table.
    pub fn attach(&self, region: &Arc<Region>) {
        self.regions.insert(region.batch(), Arc::clone(region));
    }
}
