use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::id::BatchId;
use crate::store::core::TaskLog;
use crate::store::{Eviction, Store, StoreConfig};

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

fn open() -> Arc<Store> {
    let config = StoreConfig {
        name: "crafted".into(),
        capacity: 1 << 20,
        path: None,
        warm_reserve: 0,
        pre_touch: false,
        eviction: Eviction::Batch,
    };
    match Store::open(&config, Arc::new(NoLog)) {
        Ok(store) => store,
        Err(e) => panic!("{e}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// While a chunk is gathered for its file its region may be dropped, and the pages of its index be another batch's bytes.
    #[test]
    fn any_bytes_in_an_index_lead_nowhere_outside_of_the_chunk(
        entries in prop::collection::vec((any::<u64>(), 0u64..40, any::<u16>(), any::<u64>()), 1..100),
        bytes in prop::collection::vec(any::<u8>(), 64),
    ) {
        let store = open();
        let Ok(region) = store.create_region(BatchId(7), None) else { panic!("a region") };
        for _ in 0..100 {
            prop_assert!(region.put(Kind::Bytes, &&bytes[..]).is_ok());
        }
        region.rest();
        let resting = {
            let body = region.body.lock();
            let Some(resting) = body.chunks.offsets().into_iter().find_map(|at| body.chunks.resting(at)) else {
                panic!("a chunk")
            };
            resting
        };
        let chunk = resting.chunk.offset()..resting.chunk.offset() + resting.chunk.len();
        for (slot, (wild, near, low, word1)) in entries.into_iter().enumerate() {
            let Some(words) = find(&region.core.arena, region.header, slot as u64) else { panic!("slot {slot}") };
            // some of them begin in the chunk, or beside it
            let offset = if near < 32 { chunk.start - 8 + near * 7 } else { wild };
            words.word0.store(offset << 16 | u64::from(low), Ordering::Relaxed);
            words.word1.store(word1, Ordering::Relaxed);
            if let (_, Some(entry)) = words.load() {
                let place = region.place(&entry);
                prop_assert!(place.is_none_or(|place| place.is_inside(&region.core.arena)));
            }
        }
        for o in region.objects_of(&resting).unwrap_or_default() {
            prop_assert!(chunk.contains(&o.place.offset) && o.place.offset + o.place.extent() <= chunk.end, "{:?}", o.place);
            prop_assert!(o.part(chunk.start).at < resting.chunk.len());
        }
    }
}
