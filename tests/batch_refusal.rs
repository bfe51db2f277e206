//! What a refusal says, and what it looks at for that.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::time::{Duration, Instant};

use batch_support::{Calls, config};
use raybatch::batch::Client;
use raybatch::error::ErrorCode;
use raybatch::store::Kind;

const SIZE: u64 = 16 << 20;

fn refused(client: &Client, key: raybatch::batch::BatchKey) -> String {
    let e = client.put(key, Kind::Bytes, &&vec![7u8; SIZE as usize / 2][..]).unwrap_err();
    assert_eq!(e.code(), ErrorCode::StoreFull);
    e.message().to_owned()
}

/// However many batches are open, only those that hold much are looked at: there cannot be many of them.
#[test]
fn a_refusal_names_those_that_hold_most_and_looks_at_no_others() {
    let client = Client::open(&config(&[("store.size", &SIZE.to_string())])).unwrap();
    let store = client.store();
    let small: Vec<_> = (0..500).map(|_| client.start()).collect();
    for key in &small {
        client.put(*key, Kind::Bytes, &&[7u8; 10][..]).unwrap();
    }
    let half = client.put(small[0], Kind::Bytes, &&vec![7u8; SIZE as usize / 2][..]).map(|_| small[0]).unwrap();
    let text = refused(&client, small[1]);
    assert!(text.contains(&format!("most is held by batch {} (", half.id)), "{text}");
    assert_eq!(store.holders().large(), [(half.id, half.life)]);

    let (large, larger) = (client.start(), client.start());
    client.put(large, Kind::Bytes, &&[7u8; 200_000][..]).unwrap();
    client.put(larger, Kind::Bytes, &&[7u8; 300_000][..]).unwrap();
    let text = refused(&client, small[1]);
    let at = |key: raybatch::batch::BatchKey| text.find(&format!("batch {} (", key.id)).unwrap();
    assert!(at(half) < at(larger) && at(larger) < at(large), "{text}");
    assert_eq!(store.holders().large().len(), 3);
    assert!(SIZE / store.holders().least() <= 256);

    for key in [half, large, larger] {
        client.close_batch(key, "the test").unwrap();
    }
    assert_eq!(store.holders().large(), []);
    // nobody holds much, and together they hold all
    let mut n = 0;
    let end = Instant::now() + Duration::from_secs(60);
    let text = loop {
        let key = client.start();
        if let Err(e) = client.put(key, Kind::Bytes, &&[7u8; 30_000][..]) {
            break e.message().to_owned();
        }
        n += 1;
        assert!(Instant::now() < end && n < 2000);
    };
    let open = client.stats().unwrap().live_batches + 1;
    assert!(text.contains(&format!("{open} batches are open, and each of them holds less than 65536 bytes")), "{text}");
    client.close("the test").unwrap();
}
